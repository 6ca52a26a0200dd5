import { execFileSync } from "node:child_process";
import {
    appendFileSync,
    cpSync,
    mkdirSync,
    mkdtempSync,
    readdirSync,
    readFileSync,
    rmSync,
    symlinkSync,
    writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";

const root = resolve(__dirname, "..");
const model = "actual";

/** Names of the services of {@link homeOf}. */
export const numbered = (index: number) => `service-${String(index + 1).padStart(4, "0")}`;

/** Two of 27 in tier 1, four in tier 2, the others in tier 3. */
const tierOf = (index: number) => (index % 27 < 2 ? 1 : index % 27 < 6 ? 2 : 3);

/**
 * A copy of the checkout with the given number of copies of one small service, and no other service, committed to its
 * own repository.
 *
 * @param editStack changes the text of its Pulumi.sandbox.yaml
 * @returns its folder
 */
export function homeOf(count: number, editStack: (text: string) => string = (text) => text): string {
    const directory = mkdtempSync(join(tmpdir(), "hearth-growth-"));
    const git = (...args: string[]) => execFileSync("git", ["-C", directory, ...args], { stdio: "ignore" });
    const tracked = execFileSync("git", ["-C", root, "ls-files", "-z"]).toString().split("\0").filter(Boolean);
    for (const file of tracked.filter((each) => !/^(test|clusters\/home\/apps)\//.test(each))) {
        mkdirSync(join(directory, dirname(file)), { recursive: true });
        cpSync(join(root, file), join(directory, file), { recursive: true, verbatimSymlinks: true });
    }
    symlinkSync(join(root, "node_modules"), join(directory, "node_modules"));
    for (const chart of readdirSync(join(directory, "charts")).filter(
        (each) => !["common", "gitops", model].includes(each),
    )) {
        rmSync(join(directory, "charts", chart), { recursive: true });
    }
    // The values of Argo CD are in the folder of that chart.
    const manifest = readFileSync(join(root, `clusters/home/apps/${model}.yaml`), "utf8");
    mkdirSync(join(directory, "clusters/home/apps"));
    const names = Array.from({ length: count }, (_, index) => numbered(index));
    names.forEach((name, index) => {
        const chart = join(directory, "charts", name);
        cpSync(join(directory, "charts", model), chart, { recursive: true, verbatimSymlinks: true });
        for (const file of ["Chart.yaml", "values.yaml"]) {
            const text = readFileSync(join(chart, file), "utf8");
            writeFileSync(
                join(chart, file),
                text.replace(/^( *)(name: )?actual(:?)$/gm, `$1$2${name}$3`).replace("host: budget", `host: ${name}`),
            );
        }
        writeFileSync(
            join(directory, `clusters/home/apps/${name}.yaml`),
            manifest.replaceAll(model, name).replace(/sync-wave: "\d"/, `sync-wave: "${tierOf(index)}"`),
        );
    });
    rmSync(join(directory, "charts", model), { recursive: true });
    writeFileSync(
        join(directory, "clusters/home/kustomization.yaml"),
        `apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\ncomponents:\n  - ../shared\nresources:\n${names.map((name) => `  - apps/${name}.yaml\n`).join("")}`,
    );
    // No service of this home has a secret that must be set.
    const stackFile = join(directory, "Pulumi.sandbox.yaml");
    const withoutSecrets = readFileSync(stackFile, "utf8").replace(/ {2}hearth:secrets:\n(?: {4,}.*\n)*/, "");
    writeFileSync(stackFile, editStack(withoutSecrets));
    git("init", "--quiet", "--initial-branch=main");
    // A link, which Argo CD rejects in a repository.
    appendFileSync(join(directory, ".git/info/exclude"), "node_modules\n");
    git("add", "--all");
    git("-c", "user.name=bench", "-c", "user.email=bench@localhost", "commit", "--quiet", "--message=bench: a home");
    return directory;
}
