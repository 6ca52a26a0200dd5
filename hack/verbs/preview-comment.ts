import { headCommit } from "../../components/git";
import { Failure } from "../../lib/failure";

import { root } from "../../lib/root";

import { previewComment } from "../preview/comment";
import { differences } from "../preview/differences";
import { putComment } from "../preview/gitea";
import { programChange } from "../preview/program";
import { readStack, stackOption } from "../stack";
import { defineVerb, exitCodes } from "../verb";

/** @throws Failure when a variable that every job of Gitea Actions has is missing */
function variable(name: string): string {
    const value = process.env[name];
    if (value === undefined || value === "") {
        throw new Failure(`${name} is not set: a job of Gitea Actions has it`, exitCodes.usage);
    }
    return value;
}

/** `hack/preview-comment` */
export const verb = defineVerb({
    parameters: "<base>",
    describe:
        "Show the changes of HEAD since it left another branch, in the manifests of every chart and for `pulumi up`",
    options: (parser) =>
        parser
            .positional("base", { type: "string", demandOption: true, describe: "The branch that it would go to" })
            .options({
                ...stackOption,
                post: {
                    type: "number",
                    requiresArg: true,
                    describe:
                        "Post it as the one comment of the pull request with this number, in a job of Gitea Actions",
                },
            }),
    examples: [["$0 origin/main", "print the comment"]],
    run: async ({ base, stack: given, post }) => {
        const { name: stack, settings } = await readStack(given);
        const head = await headCommit(root);
        const [charts, program] = await Promise.all([
            differences(root, base, head, settings),
            programChange(root, base, head, stack),
        ]);
        const comment = previewComment(charts, program, head);
        if (post === undefined) {
            process.stdout.write(`${comment}\n`);
        } else {
            const [server, repository] = [variable("GITHUB_SERVER_URL"), variable("GITHUB_REPOSITORY")];
            await putComment({ server, repository, number: post, token: variable("GITHUB_TOKEN") }, comment);
        }
        return exitCodes.done;
    },
});
