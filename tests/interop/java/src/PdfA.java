import java.io.File;
import java.io.FileInputStream;
import java.io.InputStream;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.logging.Level;
import java.util.logging.Logger;
import org.verapdf.gf.foundry.VeraGreenfieldFoundryProvider;
import org.verapdf.pdfa.Foundries;
import org.verapdf.pdfa.PDFAParser;
import org.verapdf.pdfa.PDFAValidator;
import org.verapdf.pdfa.flavours.PDFAFlavour;
import org.verapdf.pdfa.results.ValidationResult;
import org.verapdf.pdfa.validation.profiles.RuleId;

/** PdfA FILE...: whether each file is the PDF/A that its metadata claim, by veraPDF. One JSON object a line. */
public final class PdfA {
    public static void main(String[] files) throws Exception {
        Logger.getLogger("").setLevel(Level.OFF);
        VeraGreenfieldFoundryProvider.initialise();
        for (String file : files) {
            System.out.println(judge(new File(file)));
        }
    }

    private static String judge(File file) throws Exception {
        try (InputStream stream = new FileInputStream(file);
                PDFAParser parser = Foundries.defaultInstance().createParser(stream)) {
            PDFAFlavour claimed = parser.getFlavour();
            PDFAValidator validator = Foundries.defaultInstance().createValidator(claimed, false);
            ValidationResult result = validator.validate(parser);
            List<String> failed = new ArrayList<>();
            for (Map.Entry<RuleId, Integer> each : result.getFailedChecks().entrySet()) {
                failed.add(each.getKey().getClause() + "-" + each.getKey().getTestNumber() + " x" + each.getValue());
            }
            return Json.object("file", file.getPath(), "claimed", claimed.getId(), "compliant", result.isCompliant(),
                    "assertions", result.getTotalAssertions(), "failed", failed);
        }
    }
}
