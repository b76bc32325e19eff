"""README.txt of a bundle: how to check it in three ways, in Chinese and English, with every command to type.

The commands need `sh`, `unzip` and OpenSSL 1.1.1 or newer, and nothing of this project; a test runs what is printed.
They find by themselves how many signatures and time-stamps there are, so the text stays true when a notary adds some.
"""

from __future__ import annotations

README_NAME = "README.txt"
README_TYPE = "text/plain"

_TEMPLATE = """\
证据包 {bundle} · EVIDENCE BUNDLE {bundle}
================================================================================

本文件说明如何独立核验本证据包，无需信任制作平台，也无需联网。
This file says how to check this bundle on your own, without trusting the platform that made it and without a network.

三种方法结果应当一致。 · There are three ways, and they must agree.


--------------------------------------------------------------------------------
1  浏览器 · A browser
--------------------------------------------------------------------------------

断开网络，用浏览器打开 verify.html（最好使用您另行取得的副本），将证据包文件拖入页面。
Disconnect, open verify.html in a browser (best a copy that you have from elsewhere), and drop the bundle on it.


--------------------------------------------------------------------------------
2  命令行程序 · The program
--------------------------------------------------------------------------------

    chopmark verify {bundle}.asice


--------------------------------------------------------------------------------
3  OpenSSL
--------------------------------------------------------------------------------

需要 sh、unzip 与 OpenSSL 1.1.1 以上版本，在证据包所在的文件夹中逐段输入。
You need sh, unzip and OpenSSL 1.1.1 or newer. Type one block after the other in the folder that holds the bundle.

3.1 解包。 · Unpack.

    unzip -q {bundle}.asice -d {bundle}
    cd {bundle}

3.2 您信任谁？ seal.pem 为签章方的根证书，tsa.pem 为时间戳机构的根证书，均须从本证据包以外的途径取得。
trust/roots/ 中的副本仅供比对指纹：伪造者也能放入自己的证书。
Whom do you trust? seal.pem holds the root certificates of those who sign, tsa.pem those of the time-stamp
authorities; have both from elsewhere. The copies in trust/roots/ are there to compare fingerprints: a forger can
put in his own.

    SEAL=../seal.pem
    TSA=../tsa.pem
    for c in trust/roots/*.pem; do openssl x509 -in "$c" -noout -subject -fingerprint -sha256; done

3.3 文件。逐一比对摘要；有改动、缺失或多出的文件会被指名。无 WRONG 行即为通过。
Files. Every digest is compared; what was changed, is missing or was planted is named. No line WRONG: passed.

    for m in META-INF/ASiCManifest*.xml; do
      echo "$m"
      sed -n -e 's/^<asic:DataObjectReference URI="\\([^"]*\\)".*/\\1/p' \\
             -e 's/^<ds:DigestValue>\\([^<]*\\)<.*/\\1/p' "$m" |
      while read -r name; do
        read -r want
        have=$(openssl dgst -sha256 -binary "$name" | openssl base64)
        test "$have" = "$want" || echo "WRONG: $name"
      done
      {{ sed -n 's/^<asic:DataObjectReference URI="\\([^"]*\\)".*/\\1/p' "$m"
        find . -type f | sed 's/^\\.\\///' | grep -v '^mimetype$'
      }} | grep -v '^META-INF/' | LC_ALL=C sort | uniq -u | sed 's/^/WRONG, not in both lists: /'
    done

3.4 签名的时间。openssl cms 不检查签名中的时间戳，因此先将其取出，单独核验。
每个令牌应显示 Verification: OK。签名中没有时间戳时，会显示 WRONG。
The time of a signature. openssl cms does not look at the time-stamp inside a signature, so it is taken out and
checked on its own. Each must say Verification: OK; a signature without any is called WRONG.

    for s in META-INF/signature*.p7s; do
      openssl asn1parse -inform DER -in "$s" > ../asn1.txt
      value=$(awk -F: '/d=5 .*prim: OCTET STRING/ {{ print $1 + 0 }}' ../asn1.txt)
      openssl asn1parse -inform DER -in "$s" -strparse "$value" -noout -out ../value.bin
      rm -f ../token.tst
      for token in $(awk -F: 'at && NR == at + 2 {{ print $1 + 0 }}
                              /d=7 .*:id-smime-aa-timeStampToken/ {{ at = NR }}' ../asn1.txt); do
        openssl asn1parse -inform DER -in "$s" -strparse "$token" -noout -out ../token.tst
        openssl ts -verify -in ../token.tst -token_in -data ../value.bin -CAfile "$TSA"
        openssl ts -reply -in ../token.tst -token_in -text | grep 'Time stamp:'
      done
      test -f ../token.tst || echo "WRONG: $s has no time-stamp"
    done

3.5 签名。核验时刻取签名时间戳的时刻，并检查证书是否已被吊销。每个签名应显示 successful。
Signatures, at the time of their time-stamp; whether the certificate was revoked is checked too. Each must say
successful.

    for s in META-INF/signature*.p7s; do
      m=$(grep -l "<asic:SigReference URI=\\"$s\\"" META-INF/ASiCManifest*.xml)
      openssl asn1parse -inform DER -in "$s" > ../asn1.txt
      token=$(awk -F: 'at && NR == at + 2 {{ print $1 + 0; exit }}
                       /d=7 .*:id-smime-aa-timeStampToken/ {{ at = NR }}' ../asn1.txt)
      rm -f ../token.tst
      openssl asn1parse -inform DER -in "$s" -strparse "$token" -noout -out ../token.tst
      time=$(openssl ts -reply -in ../token.tst -token_in -text | sed -n 's/^Time stamp: //p' | sed 's/\\.[0-9]*//')
      echo "$s over $m, $time"
      openssl cms -verify -binary -purpose any -inform DER -in "$s" -content "$m" -out ../signed.xml \\
        -CAfile "$SEAL" -crl_check -attime "$(date -u -d "$time" +%s)"
    done

（macOS 与 BSD 请改用 date -u -j -f '%b %d %T %Y %Z' "$time" +%s。）
(On macOS and BSD say date -u -j -f '%b %d %T %Y %Z' "$time" +%s.)

3.6 独立时间戳。每个应显示 Verification: OK。
The time-stamps beside the signatures. Each must say Verification: OK.

    for t in META-INF/timestamp*.tst; do
      m=$(grep -l "<asic:SigReference URI=\\"$t\\"" META-INF/ASiCManifest*.xml)
      echo "$t over $m"
      openssl ts -verify -in "$t" -token_in -data "$m" -CAfile "$TSA"
      openssl ts -reply -in "$t" -token_in -text | grep 'Time stamp:'
    done

3.7 账本回执（ledger/receipts/）不属于 OpenSSL 能核验的格式，请用第 1 或第 2 种方法核验。
certificate.pdf 自带签名，可用 pdfsig 或 PDF 阅读器核验。
Receipts of the ledger (ledger/receipts/) are of no format that OpenSSL knows: use way 1 or 2.
certificate.pdf carries its own signature: use pdfsig or a reader of PDF.


--------------------------------------------------------------------------------
核验通过说明什么，不说明什么 · What a pass means, and what it does not
--------------------------------------------------------------------------------

说明：这些文件在时间戳所载时刻已经存在，此后未被改动，并由签章方签署。
不说明：内容是否真实、由谁首先创作、是否构成侵权、文件在更早的时刻是否存在、当事人的真实身份。
本地时间戳机构由平台自行运营，不是独立第三方；请至少核对一个您信任的外部机构的时间戳。

It means: these files existed by the times that the time-stamps state, are unaltered since, and were signed by those
named. It does not mean: that what they say is true, who made something first, that a right was infringed, that a file
existed at any earlier time, or who a party really is. A time-stamp authority that the platform runs itself is not an
independent one; check the stamp of at least one other that you trust.
"""


def readme(bundle: str) -> bytes:
    """The text for a bundle of this number, UTF-8.

    Args:
        bundle: `B-2026-000123`, which is also the name of the file without its ending.
    """
    return _TEMPLATE.format(bundle=bundle).encode()
