import eu.europa.esig.dss.enumerations.Indication;
import eu.europa.esig.dss.jaxb.object.Message;
import eu.europa.esig.dss.model.FileDocument;
import eu.europa.esig.dss.simplereport.SimpleReport;
import eu.europa.esig.dss.simplereport.jaxb.XmlEvidenceRecord;
import eu.europa.esig.dss.simplereport.jaxb.XmlTimestamp;
import eu.europa.esig.dss.spi.DSSUtils;
import eu.europa.esig.dss.spi.validation.CommonCertificateVerifier;
import eu.europa.esig.dss.spi.x509.CommonTrustedCertificateSource;
import eu.europa.esig.dss.validation.SignedDocumentValidator;
import eu.europa.esig.dss.validation.reports.Reports;
import java.io.File;
import java.util.ArrayList;
import java.util.Date;
import java.util.List;
import java.util.logging.Level;
import java.util.logging.Logger;

/**
 * Dss SECONDS TRUSTED... -- FILE...: what EU DSS says of each file (a bundle or a PDF) when it trusts the certificates of
 * the PEM files TRUSTED, at that time, without network. One JSON object a line; "tokens" has for each signature,
 * time-stamp and evidence record [kind, indication, sub-indication or what was wrong].
 */
public final class Dss {
    public static void main(String[] words) throws Exception {
        Logger.getLogger("").setLevel(Level.OFF);
        CommonTrustedCertificateSource trusted = new CommonTrustedCertificateSource();
        Date at = new Date(Long.parseLong(words[0]) * 1000);
        int here = 1;
        for (; !words[here].equals("--"); here++) {
            trusted.addCertificate(DSSUtils.loadCertificate(new File(words[here])));
        }
        for (here++; here < words.length; here++) {
            System.out.println(judge(words[here], trusted, at));
        }
    }

    private static String judge(String file, CommonTrustedCertificateSource trusted, Date at) {
        try {
            CommonCertificateVerifier verifier = new CommonCertificateVerifier();
            verifier.setTrustedCertSources(trusted);
            SignedDocumentValidator validator = SignedDocumentValidator.fromDocument(new FileDocument(file));
            validator.setCertificateVerifier(verifier);
            validator.setValidationTime(at);
            Reports reports = validator.validateDocument();
            SimpleReport report = reports.getSimpleReport();
            List<Object> tokens = new ArrayList<>();
            List<Object> covered = new ArrayList<>();
            for (String id : report.getSignatureIdList()) {
                tokens.add(token("signature", report, id));
                for (XmlTimestamp each : report.getSignatureTimestamps(id)) {
                    tokens.add(token("signature time-stamp", report, each.getId()));
                }
                for (XmlEvidenceRecord each : report.getSignatureEvidenceRecords(id)) {
                    record(tokens, report, each.getId());
                }
                covered.add(report.getSignatureScopes(id).size());
            }
            for (String id : report.getTimestampIdList()) {
                tokens.add(token("time-stamp", report, id));
            }
            for (String id : report.getEvidenceRecordIdList()) {
                record(tokens, report, id);
            }
            return Json.object("file", file, "container", String.valueOf(report.getContainerType()), "covered", covered,
                    "level", level(report), "tokens", tokens);
        } catch (RuntimeException error) {
            return Json.object("file", file, "refused", String.valueOf(error.getMessage()));
        }
    }

    private static void record(List<Object> tokens, SimpleReport report, String id) {
        tokens.add(token("evidence record", report, id));
        for (XmlTimestamp each : report.getEvidenceRecordTimestamps(id)) {
            tokens.add(token("evidence record time-stamp", report, each.getId()));
        }
    }

    private static List<Object> level(SimpleReport report) {
        List<Object> levels = new ArrayList<>();
        for (String id : report.getSignatureIdList()) {
            levels.add(String.valueOf(report.getSignatureFormat(id)));
        }
        return levels;
    }

    private static List<Object> token(String kind, SimpleReport report, String id) {
        Indication indication = report.getIndication(id);
        List<Object> said = new ArrayList<>();
        said.add(kind);
        said.add(String.valueOf(indication));
        said.add(String.valueOf(report.getSubIndication(id)));
        for (Message each : report.getAdESValidationErrors(id)) {
            said.add(each.getValue());
        }
        return said;
    }
}
