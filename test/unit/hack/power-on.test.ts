import { spawnSync } from "node:child_process";
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

// The script that a server runs at its next start, with programs that record their calls.
let folder: string;

beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "hearth-power-on-"));
    mkdirSync(join(folder, "bin"));
    copyFileSync("hack/shutdown/power-on.sh", join(folder, "power-on"));
});

afterEach(() => rmSync(folder, { recursive: true }));

/** Lines of a record in the ConfigMap. */
const steps = ["scale books deployment/kavita 2", "reconcile argocd application.argoproj.io/kavita"];

/**
 * Runs the script.
 *
 * @param failing part of a call that fails, as if the API server did not answer
 * @returns whether it succeeded, and the calls that change something
 */
function powerOn(record: readonly string[], failing = "nothing fails"): { succeeded: boolean; changes: string[] } {
    const calls = join(folder, "calls");
    writeFileSync(calls, "");
    const k3s = `#!/bin/sh
case "$*" in
    *"${failing}"*) exit 1 ;;
    *--raw*) exit 0 ;;
    *jsonpath*) printf '%s\\n' '${record.join("\n")}' ;;
    *"--output name"*) echo found ;;
    *) echo "$*" >> ${calls} ;;
esac
`;
    for (const [name, text] of Object.entries({ k3s, systemctl: `#!/bin/sh\necho "systemctl $*" >> ${calls}\n` })) {
        writeFileSync(join(folder, "bin", name), text);
        chmodSync(join(folder, "bin", name), 0o755);
    }
    const env = { PATH: `${folder}/bin:${process.env["PATH"]}` };
    const { status } = spawnSync("sh", [join(folder, "power-on")], { env, timeout: 30_000 });
    const changes = readFileSync(calls, "utf8").split("\n").filter(Boolean);
    return { succeeded: status === 0, changes };
}

const end = [
    "kubectl delete --namespace kube-system configmap/power-off --ignore-not-found",
    "systemctl disable --quiet hearth-power-on.service",
];

test("starts the workloads of the record, then deletes the record and itself", () => {
    expect(powerOn(steps)).toEqual({
        succeeded: true,
        changes: [
            "kubectl scale --namespace books deployment/kavita --replicas=2",
            "kubectl annotate --namespace argocd application.argoproj.io/kavita argocd.argoproj.io/skip-reconcile-",
            ...end,
        ],
    });
});

test("another server was faster: there is nothing to start", () => {
    expect(powerOn([])).toEqual({ succeeded: true, changes: end });
});

test.each([
    ["the record cannot be read", "jsonpath"],
    ["an object cannot be read", "--output name"],
    ["a service does not scale", "scale"],
])("%s: the script fails and keeps the record, so that systemd runs it again", (_, failing) => {
    const { succeeded, changes } = powerOn(steps, failing);
    expect(succeeded).toBe(false);
    expect(changes.filter((each) => end.includes(each))).toEqual([]);
});
