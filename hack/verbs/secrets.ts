import { readApplications } from "../../components/applications";
import { readSecretDeclarations, type SecretDeclarations } from "../../components/secret-declarations";
import { configPath, setCommand } from "../../config/secrets";
import { stackFileName } from "../../config/stack-file";
import { Failure } from "../../lib/failure";
import { root } from "../../lib/root";
import { generatedValues, keepValues, valuesInCluster } from "../generated-values";
import { captureGit } from "../git";
import { Kubectl } from "../kubectl";
import { linesOf, listSecrets, type SecretRow, type StackSecrets } from "../secret-list";
import { pulumi, readStack, type Stack, stackOption, withKubeconfig } from "../stack";
import { formatTable } from "../table";
import { defineVerb, exitCodes } from "../verb";

function declarationsOf({ settings }: Stack): SecretDeclarations {
    return readSecretDeclarations(
        root,
        readApplications(root, settings.cluster).map(({ name }) => name),
    );
}

/** Day of the last commit that changed each line of a file, by its number from 0, or "not committed". */
async function changesOf(file: string): Promise<Map<number, string>> {
    const failure = `git cannot tell when ${file} changed`;
    const blame = await captureGit(["blame", "--line-porcelain", "--", file], { failure }).catch(() => "");
    const days = new Map<number, string>();
    let line = 0;
    let time = 0;
    let hash = "";
    for (const text of blame.split("\n")) {
        if (/^[0-9a-f]{40} /.test(text)) {
            hash = text.slice(0, 40);
        } else if (text.startsWith("committer-time ")) {
            time = Number(text.slice("committer-time ".length));
        } else if (text.startsWith("\t")) {
            days.set(line, /^0+$/.test(hash) ? "not committed" : new Date(time * 1_000).toISOString().slice(0, 10));
            line += 1;
        }
    }
    return days;
}

/** Day on which the state first had each generated value, by `<chart>-<key>`. Empty while there is no state. */
async function generatedOn(stack: string): Promise<Map<string, string>> {
    const state = await pulumi("stack", "export", "--stack", stack).catch(() => "{}");
    const resources: { urn: string; type: string; created?: string }[] = JSON.parse(state).deployment?.resources ?? [];
    return new Map(
        resources
            .filter(({ type }) => type.startsWith("random:"))
            .map(({ urn, created }) => [urn.slice(urn.lastIndexOf("::") + 2), created?.slice(0, 10) ?? ""]),
    );
}

/** A key of the rows, given as chart.key, that can be rotated. */
function rotatable(stack: string, rows: readonly SecretRow[], name: string | undefined): SecretRow {
    const generated = rows.filter(({ from }) => from === "generated");
    const found = generated.find(({ chart, key }) => `${chart}.${key}` === name);
    if (found) {
        return found;
    }
    const row = rows.find(({ chart, key }) => `${chart}.${key}` === name);
    const why =
        row === undefined
            ? `unknown secret "${name ?? ""}"`
            : row.from === "config" || row.from === "missing"
              ? `${name} is not generated: set it with \`npx ${setCommand(stack, ["secrets", row.chart, row.key])}\``
              : `${name} is ${row.from}: rotate that one`;
    const names = generated.map(({ chart, key }) => `  ${chart}.${key}`);
    const hint = row === undefined ? ["", "These can be rotated:", ...names].join("\n") : "";
    throw new Failure(`${why}${hint}`, exitCodes.usage);
}

/** Writes every generated value that the cluster has into the stack's file, encrypted. */
async function keep(stack: Stack): Promise<number> {
    const values = await withKubeconfig(stack, (path) =>
        valuesInCluster(new Kubectl(path), generatedValues(root, stack)),
    );
    await keepValues(stack.name, values);
    process.stdout.write(
        `${stackFileName(stack.name)} keeps ${values.length} generated values, encrypted: commit it\n`,
    );
    return exitCodes.done;
}

/** A string for today that differs from the current one. */
function newRotation(present: string | undefined): string {
    const now = new Date().toISOString();
    const day = now.slice(0, 10);
    return present?.startsWith(day) ? now.slice(0, 19) : day;
}

/** `hack/secrets`, `npm run secrets` */
export const verb = defineVerb({
    parameters: "[action] [secret]",
    describe:
        "List every secret of the home with its source, rotate a generated one, or store all of " +
        "them in the stack's file",
    options: (parser) =>
        parser
            .positional("action", {
                choices: ["list", "rotate", "keep"] as const,
                default: "list" as const,
                describe: "What to do",
            })
            .positional("secret", { type: "string", describe: "The one to rotate, as <chart>.<key>" })
            .options({ ...stackOption, json: { type: "boolean", describe: "Print JSON" } }),
    examples: [
        ["$0", "the list"],
        ["$0 rotate database.immich-password", "replace it; the next `pulumi up` does so"],
        ["$0 keep", "make the repository and the passphrase enough to rebuild the home"],
    ],
    run: async ({ action, secret, stack: name, json }) => {
        const stack = await readStack(name);
        const file = stackFileName(stack.name);
        const { text, config } = stack.file;
        const stackSecrets = {
            secrets: config["hearth:secrets"],
            rotations: config["hearth:rotations"],
        } as StackSecrets;
        if (action === "keep") {
            return keep(stack);
        }
        const rows = listSecrets(declarationsOf(stack), stackSecrets);
        if (action === "rotate") {
            const { chart, key } = rotatable(stack.name, rows, secret);
            const rotation = newRotation(stackSecrets.rotations?.[chart]?.[key]);
            const path = configPath(["rotations", chart, key]);
            await pulumi("config", "set", "--path", path, rotation, "--stack", stack.name);
            process.stdout.write(
                `${file}: ${path} is ${rotation}. \`npx pulumi up\` generates the new value, and restarts its consumers.\n`,
            );
            return exitCodes.done;
        }
        const [changes, generated] = await Promise.all([changesOf(file), generatedOn(stack.name)]);
        const lines = linesOf(text);
        const listed = rows.map(({ path, ...row }) => {
            const line = path && lines.get(path.join("\n"));
            const changed =
                line === undefined ? generated.get(`${row.chart}-${row.key}`) : (changes.get(line) ?? "not committed");
            return { ...row, changed: row.from === "generated" ? (changed ?? "not yet") : (changed ?? "") };
        });
        if (json) {
            process.stdout.write(`${JSON.stringify(listed, undefined, 2)}\n`);
        } else {
            const cells = listed.map(({ chart, key, from, optional, changed }) => [
                chart,
                key,
                from === "missing" ? (optional ? "not given (optional)" : "MISSING") : from,
                changed,
            ]);
            process.stdout.write(`${formatTable(["CHART", "KEY", "FROM", "LAST CHANGE"], cells)}\n`);
        }
        return exitCodes.done;
    },
});
