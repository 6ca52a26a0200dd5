import { X509Certificate } from "node:crypto";
import { readYaml } from "../config/yaml";
import { Failure } from "../lib/failure";

/** Days before its expiry from which a certificate counts as not renewed: `pulumi up` rereads it each month. */
const soon = 30;

/**
 * Expiry date of a kubeconfig's client certificate, as a line.
 *
 * @param kubeconfig its text
 * @throws Failure when that is soon
 */
export function certificateExpiry(kubeconfig: string, now: Date): string {
    const users: readonly { readonly user?: Record<string, unknown> }[] =
        Object(readYaml(kubeconfig, { isSecret: () => false })).users ?? [];
    const data = users[0]?.user?.["client-certificate-data"];
    if (typeof data !== "string") {
        return "the kubeconfig has no certificate that expires";
    }
    const end = new Date(new X509Certificate(Buffer.from(data, "base64")).validTo);
    const days = Math.floor((end.getTime() - now.getTime()) / 86_400_000);
    const line = `the kubeconfig is valid until ${end.toISOString().slice(0, 10)}, ${days} days`;
    if (days < soon) {
        throw new Failure(line);
    }
    return line;
}
