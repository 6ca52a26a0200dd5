import { headCommit } from "../../components/git";
import { root } from "../../lib/root";

import { previewComment } from "../preview/comment";
import { differences } from "../preview/differences";
import { pullRequestOfJob, putComment } from "../preview/gitea";
import { programChange } from "../preview/program";
import { readStack, stackOption } from "../stack";
import { defineVerb, exitCodes } from "../verb";

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
            await putComment(pullRequestOfJob(post), () => comment);
        }
        return exitCodes.done;
    },
});
