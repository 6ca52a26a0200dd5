import { askHostKey, fingerprintCommand } from "../host-key";
import { defineVerb, exitCodes } from "../verb";

/** `hack/host-keys` */
export const verb = defineVerb({
    parameters: "<addresses..>",
    describe: "Prints hostKey lines of hosts for hearth:nodes, with fingerprints to compare at their consoles",
    options: (parser) =>
        parser.positional("addresses", {
            type: "string",
            array: true,
            demandOption: true,
            describe: "Addresses of hosts, each with :port if it is not 22",
        }),
    examples: [["$0 192.168.1.11 192.168.1.12:2222", "queries two hosts"]],
    run: async ({ addresses }) => {
        const found = await Promise.all(
            addresses.map(async (address) => ({ address, ...(await askHostKey(address)) })),
        );
        for (const { address, line, fingerprint } of found) {
            process.stdout.write(`# ${address}: ${fingerprint}\nhostKey: ${line}\n`);
        }
        process.stdout.write(
            "\nAny host can answer at an address. Compare at its console before you paste a line:\n" +
                `  ${fingerprintCommand}\n`,
        );
        return exitCodes.done;
    },
});
