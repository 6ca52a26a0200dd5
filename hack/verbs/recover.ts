import { readFileSync } from "node:fs";
import { parse } from "yaml";
import { backendFolder, readLocks } from "../recovery/locks";
import { recover } from "../recovery/recover";
import { pulumi, pulumiWith, readStack, stackOption } from "../stack";
import { defineVerb, exitCodes } from "../verb";

/** `hack/recover` */
export const verb = defineVerb({
    describe: "After a `pulumi up` was killed: puts right what it left behind, so that the next one finishes",
    options: (parser) => parser.options(stackOption),
    examples: [["$0 --stack home && npx pulumi up --stack home", "go on from where the killed run stopped"]],
    run: async ({ stack: given }) => {
        const { name: stack } = await readStack(given);
        const root = process.cwd();
        const { url } = JSON.parse(await pulumi("whoami", "--verbose", "--json"));
        const folder = backendFolder(url, root);
        const tell = (line: string) => process.stdout.write(`${line}\n`);
        if (folder === undefined) {
            tell(`Locks are in ${url} and not looked at; \`npx pulumi cancel --stack ${stack}\` removes them all`);
        }
        const project: string = parse(readFileSync("Pulumi.yaml", "utf8")).name;
        await recover({
            root,
            stack,
            locks: folder === undefined ? [] : readLocks(folder, project, stack.split("/").at(-1) ?? stack),
            pulumi: (args, input) => pulumiWith([...args, "--stack", stack], { input }),
            tell,
        });
        tell(`Nothing stands in the way of \`npx pulumi up --stack ${stack}\``);
        return exitCodes.done;
    },
});
