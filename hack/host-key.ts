import { Failure } from "../lib/failure";
import { capture } from "./capture";

/** Host key of a machine. */
export interface HostKey {
    /** In the config's form: `ssh-ed25519 AAAA…`. */
    readonly line: string;
    /** Fingerprint to compare at the machine's console: `SHA256:…`. */
    readonly fingerprint: string;
}

/** Command that prints the fingerprint on a host's console. */
export const fingerprintCommand = "ssh-keygen -l -f /etc/ssh/ssh_host_ed25519_key.pub";

/**
 * The Ed25519 host key that answers at an address. Any host could answer there: a person has to compare the
 * fingerprint.
 *
 * @param address with `:port` if it is not 22
 * @throws Failure if nothing answers there
 */
export async function askHostKey(address: string): Promise<HostKey> {
    const [, host = "", port = "22"] = /^([A-Za-z0-9][A-Za-z0-9.-]{0,252})(?::(\d{1,5}))?$/.exec(address) ?? [];
    if (host === "") {
        throw new Failure(
            `${JSON.stringify(address)} is not an address: give a host name or an IPv4 address, with :port`,
            2,
        );
    }
    const scanned = await capture("ssh-keyscan", ["-T", "10", "-t", "ed25519", "-p", port, host], {
        failure: `${address} cannot be queried for its host key`,
        accepted: [1],
    });
    const [, type, key] = scanned.trim().split("\n").pop()?.split(" ") ?? [];
    if (type === undefined || key === undefined) {
        throw new Failure(`${address} does not answer with a host key: check whether its sshd listens on this port`);
    }
    const line = `${type} ${key}`;
    const fingerprint = await capture("ssh-keygen", ["-l", "-f", "-"], {
        input: `${line}\n`,
        failure: `the key of ${address} cannot be read`,
    });
    return { line, fingerprint: fingerprint.split(" ")[1] ?? "" };
}
