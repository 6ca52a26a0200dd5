import { type ApplicationStatus, revisionOf } from "../../components/application-status";
import { readApplications } from "../../components/applications";
import { Failure } from "../../lib/failure";
import { root } from "../../lib/root";
import { pause } from "../../lib/run";
import { captureGit } from "../git";
import { Kubectl } from "../kubectl";
import { rehearsalLimit } from "../preview/comment";
import { mergeBase } from "../preview/differences";
import { pullRequestOfJob, putComment, withRehearsal } from "../preview/gitea";
import { type Comparison, compare, type Rehearsal } from "../rehearsal/comparison";
import { formatRehearsal, rehearsalSection } from "../rehearsal/format";
import { askHome } from "../rehearsal/home";
import { listApplications, observe } from "../rehearsal/observation";
import { RehearsalSandbox } from "../rehearsal/sandbox";
import { readStack, stackOption } from "../stack";
import { defineVerb, exitCodes } from "../verb";

/** Exit code when the branch should not be merged as it is. */
const somethingFails = 3;

/** Milliseconds for the Applications behind a tier that failed to sync the commit too. */
const settleLimit = 180_000;

/** Lines of a failed program that are shown. */
const shownLines = 40;

const lastLines = (output: string) => output.trim().split("\n").slice(-shownLines).join("\n");

/** Reports whether a sync has not failed yet: its retries take minutes, and the first one has shown the reason. */
const isFirstTry = ({ phase, retryCount = 0 }: ApplicationStatus["operationState"] = {}) =>
    phase === "Running" && retryCount === 0;

/** Makes Argo CD sync the commit in all Applications, even behind a gate, and waits for the attempts. */
async function settle(kubectl: Kubectl, revision: string): Promise<void> {
    const refresh = "argocd.argoproj.io/refresh=normal";
    await kubectl.run(["annotate", "applications.argoproj.io", "--all", "--namespace=argocd", "--overwrite", refresh]);
    for (const deadline = Date.now() + settleLimit; Date.now() < deadline; await pause(2_000)) {
        const waiting = (await listApplications(kubectl)).filter(
            ({ status }) => revisionOf(status) !== revision || isFirstTry(status?.operationState),
        );
        if (waiting.length === 0) {
            return;
        }
    }
}

async function rehearse(
    { base, head, home }: Pick<Comparison, "base" | "head" | "home">,
    report: (line: string) => void,
): Promise<Rehearsal> {
    const { cluster } = (await readStack("sandbox")).settings;
    return RehearsalSandbox.with(root, base, async (sandbox) => {
        report(`${base.slice(0, 10)} in a sandbox: takes some minutes`);
        const first = await sandbox.start();
        if (first.exitCode !== 0) {
            throw new Failure(
                `${base.slice(0, 10)}, the commit before the branch, does not start in a sandbox:\n${lastLines(first.output)}`,
            );
        }
        const kubectl = new Kubectl(sandbox.kubeconfig);
        const before = await observe(kubectl);
        await sandbox.take(head);
        report(`${head.slice(0, 10)} over it, through the tiers`);
        const started = Date.now();
        const { exitCode, output } = await sandbox.start();
        const seconds = (Date.now() - started) / 1000;
        if (exitCode !== 0) {
            report("the branch does not become ready: waiting for the Applications behind it");
            await settle(kubectl, head);
        }
        return compare({
            base,
            head,
            declared: readApplications(sandbox.root, cluster),
            before,
            after: await observe(kubectl),
            started,
            seconds,
            home,
            ...(exitCode !== 0 && { failure: lastLines(output) }),
        });
    });
}

/** `hack/rehearse` */
export const verb = defineVerb({
    parameters: "[branch]",
    describe: "Runs a branch over its merge base with main, in a separate sandbox, through the tiers",
    options: (parser) =>
        parser
            .positional("branch", {
                type: "string",
                default: "HEAD",
                defaultDescription: "the checkout's commit",
                describe: "The branch to try; uncommitted changes are not part of it",
            })
            .options({
                base: {
                    type: "string",
                    requiresArg: true,
                    default: "main",
                    describe: "The branch that it would be merged into",
                },
                home: {
                    type: "string",
                    requiresArg: true,
                    describe: "URL of the service `placement` of charts/gitops: is there room on the home's nodes?",
                },
                ...stackOption,
                json: { type: "boolean", describe: "Print JSON" },
                post: {
                    type: "number",
                    requiresArg: true,
                    describe: "Add it to the comment on the pull request with this number, in a job of Gitea Actions",
                },
            }),
    examples: [
        ["$0", "the checkout's commit over main"],
        ["$0 renovate/immich --json", "another branch, for a script"],
    ],
    exitCodes: `, ${somethingFails} an Application does not become Synced and Healthy, or a service loses a claim or its node`,
    run: async ({ branch, base: target, home: server, stack: given, json, post }) => {
        const stack = server === undefined && given === undefined ? undefined : await readStack(given);
        const pullRequest = post === undefined ? undefined : pullRequestOfJob(post);
        const base = await mergeBase(root, target, branch);
        const failure = `${branch} cannot be read`;
        const head = (await captureGit(["-C", root, "rev-parse", `${branch}^{commit}`], { failure })).trim();
        if (head === base) {
            throw new Failure(`${branch} has no commit that is missing in ${target}: commit the change first`);
        }
        const home = server && stack ? await askHome(server, stack, base, head) : undefined;
        const rehearsal = await rehearse({ base, head, home }, (line) => process.stderr.write(`${line}\n`));
        const text = json ? JSON.stringify(rehearsal, undefined, 2) : formatRehearsal(rehearsal);
        process.stdout.write(`${text}\n`);
        if (pullRequest) {
            await putComment(pullRequest, (comment) =>
                withRehearsal(comment, rehearsalSection(rehearsal, rehearsalLimit)),
            );
        }
        return rehearsal.good ? exitCodes.done : somethingFails;
    },
});
