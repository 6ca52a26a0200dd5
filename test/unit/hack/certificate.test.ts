import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { stringify } from "yaml";
import { certificateExpiry } from "../../../hack/certificate";

const day = 86_400_000;

/** A kubeconfig with a client certificate that is valid for a year from now. */
function kubeconfig(): string {
    const folder = mkdtempSync(join(tmpdir(), "hearth-certificate-"));
    try {
        const files = ["-keyout", join(folder, "key"), "-out", join(folder, "crt")];
        execFileSync(
            "openssl",
            ["req", "-x509", "-newkey", "ed25519", "-nodes", "-days", "365", "-subj", "/CN=a", ...files],
            {
                stdio: "ignore",
            },
        );
        const data = readFileSync(join(folder, "crt")).toString("base64");
        return stringify({ users: [{ name: "default", user: { "client-certificate-data": data } }] });
    } finally {
        rmSync(folder, { recursive: true });
    }
}

test("a certificate's expiry date is shown, and is an error in its last month", () => {
    const text = kubeconfig();
    expect(certificateExpiry(text, new Date())).toMatch(/^the kubeconfig is valid until \d{4}-\d\d-\d\d, 36[45] days$/);
    expect(() => certificateExpiry(text, new Date(Date.now() + 340 * day))).toThrow(/, 2[45] days$/);
    expect(() => certificateExpiry(text, new Date(Date.now() + 400 * day))).toThrow(/, -3[56] days$/);
});

test("a kubeconfig with a token has no certificate", () => {
    expect(certificateExpiry("users: [{ name: a, user: { token: b } }]", new Date())).toContain("no certificate");
});
