import { Failure } from "../../toolchain/failure";
import { capture } from "../capture";
import { defineVerb, exitCodes } from "../verb";

/** The Ed25519 host key that answers at an address, as the config takes it, and its fingerprint. */
async function hostKey(address: string): Promise<{ readonly line: string; readonly fingerprint: string }> {
    const [host = "", port = "22"] = address.split(":");
    const scanned = await capture("ssh-keyscan", ["-T", "10", "-t", "ed25519", "-p", port, host], {
        failure: `${address} cannot be asked for its host key`,
        accepted: [1],
    });
    const [, type, key] = scanned.trim().split("\n").pop()?.split(" ") ?? [];
    if (type === undefined || key === undefined) {
        throw new Failure(`${address} does not answer with a host key: see whether its sshd listens at this port`);
    }
    const line = `${type} ${key}`;
    const fingerprint = await capture("ssh-keygen", ["-l", "-f", "-"], {
        input: `${line}\n`,
        failure: `the key of ${address} cannot be read`,
    });
    return { line, fingerprint: fingerprint.split(" ")[1] ?? "" };
}

/** `hack/host-keys` */
export const verb = defineVerb({
    parameters: "<addresses..>",
    describe: "The hostKey lines of machines for hearth:nodes, with fingerprints to compare at their consoles",
    options: (parser) =>
        parser.positional("addresses", {
            type: "string",
            array: true,
            demandOption: true,
            describe: "Addresses of machines, each with :port if it is not 22",
        }),
    examples: [["$0 192.168.1.11 192.168.1.12:2222", "asks two machines"]],
    run: async ({ addresses }) => {
        const found = await Promise.all(addresses.map(async (address) => ({ address, ...(await hostKey(address)) })));
        for (const { address, line, fingerprint } of found) {
            process.stdout.write(`# ${address}: ${fingerprint}\nhostKey: ${line}\n`);
        }
        process.stdout.write(
            "\nWhoever answers can claim to be the machine. Compare at its console before you paste a line:\n" +
                "  ssh-keygen -l -f /etc/ssh/ssh_host_ed25519_key.pub\n",
        );
        return exitCodes.done;
    },
});
