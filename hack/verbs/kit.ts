import { Failure } from "../../lib/failure";
import { checkHasBackup } from "../backups/home";
import { kitPage, kitSchema } from "../backups/kit";
import { confirmed } from "../confirm";
import { pulumi, readStack, stackOption } from "../stack";
import { defineVerb, exitCodes } from "../verb";

/** `hack/kit` */
export const verb = defineVerb({
    describe: "Prints the emergency kit: one secret page with which the copies can be read without this program",
    options: (parser) =>
        parser.options({
            ...stackOption,
            yes: { alias: "y", type: "boolean", describe: "Skip the confirmation, and print to a file or a pipe too" },
        }),
    examples: [
        ["$0", "on the screen, to copy by hand"],
        ["$0 --yes | lp", "on paper"],
    ],
    run: async ({ stack: name, yes }) => {
        const stack = await readStack(name);
        checkHasBackup(stack);
        if (!yes) {
            if (!process.stdout.isTTY || process.env["CI"]) {
                throw new Failure(
                    "this page opens every copy of the home, and stdout is not a terminal: it could end up in " +
                        "a log. Pass --yes if it goes to a printer",
                    exitCodes.usage,
                );
            }
            if (!(await confirmed("This shows the password of all copies. Continue?"))) {
                return exitCodes.failed;
            }
        }
        const { data } = kitSchema.safeParse(
            JSON.parse(await pulumi("config", "get", "hearth:backup", "--stack", stack.name)),
        );
        if (data === undefined) {
            throw new Failure(
                `hearth:backup is invalid: \`npx pulumi preview --stack ${stack.name}\` lists the mistakes`,
            );
        }
        const date = new Date().toISOString().slice(0, 10);
        process.stdout.write(kitPage(data, { domain: stack.settings.domain, date }));
        return exitCodes.done;
    },
});
