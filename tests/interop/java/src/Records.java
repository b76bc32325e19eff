import java.io.File;
import java.math.BigInteger;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Date;
import java.util.List;
import org.bouncycastle.asn1.ASN1ObjectIdentifier;
import org.bouncycastle.asn1.nist.NISTObjectIdentifiers;
import org.bouncycastle.asn1.x509.AlgorithmIdentifier;
import org.bouncycastle.cms.jcajce.JcaSimpleSignerInfoVerifierBuilder;
import org.bouncycastle.jce.provider.BouncyCastleProvider;
import org.bouncycastle.operator.DigestCalculator;
import org.bouncycastle.operator.DigestCalculatorProvider;
import org.bouncycastle.operator.jcajce.JcaDigestCalculatorProviderBuilder;
import org.bouncycastle.tsp.TimeStampRequest;
import org.bouncycastle.tsp.TimeStampRequestGenerator;
import org.bouncycastle.tsp.ers.ERSArchiveTimeStampGenerator;
import org.bouncycastle.tsp.ers.ERSData;
import org.bouncycastle.tsp.ers.ERSDataGroup;
import org.bouncycastle.tsp.ers.ERSEvidenceRecord;
import org.bouncycastle.tsp.ers.ERSFileData;
import org.bouncycastle.util.encoders.Hex;

/**
 * Evidence records (RFC 4998) by Bouncy Castle. Each line of the file JOBS is one job, its words parted by blanks:
 *
 * <pre>
 *   check RECORD SECONDS FILE...               does the record hold for the group of these files?
 *   ask start|renew|rehash RECORD FILE...      over what would the token of this step be?
 * </pre>
 *
 * RECORD is "-" for a start. One JSON object a line.
 */
public final class Records {
    private static final DigestCalculatorProvider DIGESTS;

    static {
        try {
            DIGESTS = new JcaDigestCalculatorProviderBuilder().setProvider(new BouncyCastleProvider()).build();
        } catch (Exception error) {
            throw new ExceptionInInitializerError(error);
        }
    }

    public static void main(String[] jobs) throws Exception {
        for (String line : Files.readAllLines(Path.of(jobs[0]))) {
            try {
                System.out.println(work(line.split(" ")));
            } catch (Exception error) {
                System.out.println(Json.object("ok", false, "error", String.valueOf(error)));
            }
        }
    }

    private static String work(String[] words) throws Exception {
        switch (words[0]) {
            case "check":
                return check(words);
            default:
                TimeStampRequest request = ask(words[1], record(words[2]), group(words, 3));
                return Json.object("ok", true, "imprint", Hex.toHexString(request.getMessageImprintDigest()));
        }
    }

    private static String check(String[] words) throws Exception {
        ERSEvidenceRecord record = record(words[1]);
        record.validatePresent(group(words, 3), new Date(Long.parseLong(words[2]) * 1000));
        record.validate(new JcaSimpleSignerInfoVerifierBuilder().setProvider(new BouncyCastleProvider())
                .build(record.getSigningCertificate()));
        return Json.object("ok", true);
    }

    private static ERSEvidenceRecord record(String path) throws Exception {
        return path.equals("-") ? null : new ERSEvidenceRecord(Files.readAllBytes(Path.of(path)), DIGESTS);
    }

    private static ERSData group(String[] words, int from) throws Exception {
        List<ERSData> files = new ArrayList<>();
        for (String path : Arrays.copyOfRange(words, from, words.length)) {
            files.add(new ERSFileData(new File(path)));
        }
        return files.size() == 1 ? files.get(0) : new ERSDataGroup(files);
    }

    private static DigestCalculator digest(ASN1ObjectIdentifier algorithm) throws Exception {
        return DIGESTS.get(new AlgorithmIdentifier(algorithm));
    }

    private static TimeStampRequest ask(String step, ERSEvidenceRecord record, ERSData group) throws Exception {
        TimeStampRequestGenerator requests = new TimeStampRequestGenerator();
        requests.setCertReq(true);
        switch (step) {
            case "start":
                return starting(group).generateTimeStampRequest(requests, BigInteger.valueOf(7));
            case "renew":
                return record.generateTimeStampRenewalRequest(requests, BigInteger.valueOf(7));
            default:
                return record.generateHashRenewalRequest(
                        digest(NISTObjectIdentifiers.id_sha512), group, requests, BigInteger.valueOf(7));
        }
    }

    private static ERSArchiveTimeStampGenerator starting(ERSData group) throws Exception {
        ERSArchiveTimeStampGenerator generator =
                new ERSArchiveTimeStampGenerator(digest(NISTObjectIdentifiers.id_sha256));
        generator.addData(group);
        return generator;
    }
}
