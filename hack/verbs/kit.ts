import { Failure } from "../../lib/failure";
import { checkHasBackup } from "../backups/home";
import { kitPage, kitSchema } from "../backups/kit";
import { confirmed } from "../confirm";
import { pulumi, readStack, stackOption } from "../stack";
import { defineVerb, exitCodes } from "../verb";

/** `hack/kit` */
export const verb = defineVerb({
    describe: "Prints one page for the drawer: what reads the copies of this home without this program. It is secret",
    options: (parser) =>
        parser.options({
            ...stackOption,
            yes: { alias: "y", type: "boolean", describe: "Do not ask, and print to a file or a pipe too" },
        }),
    examples: [
        ["$0", "on the screen: copy it by hand"],
        ["$0 --yes | lp", "on paper"],
    ],
    run: async ({ stack: name, yes }) => {
        const stack = await readStack(name);
        checkHasBackup(stack);
        if (!yes) {
            if (!process.stdout.isTTY || process.env["CI"]) {
                throw new Failure(
                    "this page opens every copy of the home, and standard output is not a terminal: it could end up in " +
                        "a log. Pass --yes if it goes to a printer",
                    exitCodes.usage,
                );
            }
            if (!(await confirmed("This shows the password of all copies. Is nobody looking?"))) {
                return exitCodes.failed;
            }
        }
        const { data } = kitSchema.safeParse(
            JSON.parse(await pulumi("config", "get", "hearth:backup", "--stack", stack.name)),
        );
        if (data === undefined) {
            throw new Failure(`hearth:backup has mistakes: \`npx pulumi preview --stack ${stack.name}\` lists them`);
        }
        const date = new Date().toISOString().slice(0, 10);
        process.stdout.write(kitPage(data, { domain: stack.settings.domain, date }));
        return exitCodes.done;
    },
});
