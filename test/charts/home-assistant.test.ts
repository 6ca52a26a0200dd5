import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { configFile, workloads } from "./manifest";
import { renderedCharts } from "./workspace";

const manifests = renderedCharts().get("home-assistant") ?? [];
const spec = workloads(manifests).find(({ name }) => name === "home-assistant")?.template.spec;

let folder: string;

beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "hearth-home-assistant-"));
});

afterEach(() => {
    rmSync(folder, { recursive: true });
});

test("a configuration that was restored from a backup is still there after the next start", () => {
    const [config, first] = [join(folder, "config"), join(folder, "first")];
    mkdirSync(config);
    mkdirSync(first);
    writeFileSync(join(first, "configuration.yaml"), configFile(manifests, "configuration", "configuration.yaml"));
    const init = spec?.initContainers?.find(({ name }) => name === "files");
    const [program = "", ...args] = (init?.command ?? []).map((each) =>
        each.replaceAll("/etc/first", first).replace(/\/config\b/g, config),
    );
    const start = () => execFileSync(program, args);

    start();
    expect(readFileSync(join(config, "configuration.yaml"), "utf8")).toContain("default_config:");
    // As Home Assistant restores: it renames the backup's files over its own.
    writeFileSync(join(folder, "restored"), "default_config:\nmodbus:\n");
    renameSync(join(folder, "restored"), join(config, "configuration.yaml"));
    writeFileSync(join(config, "automations.yaml"), "- id: lights\n");
    start();
    expect(readFileSync(join(config, "configuration.yaml"), "utf8")).toBe("default_config:\nmodbus:\n");
    expect(readFileSync(join(config, "automations.yaml"), "utf8")).toBe("- id: lights\n");
});

test("no file of its configuration is a mount, which a restore could not replace", () => {
    const main = spec?.containers.find(({ name }) => name === "home-assistant");
    const mounts = main?.volumeMounts?.filter(({ mountPath }) => mountPath.startsWith("/config")) ?? [];

    expect(mounts.map(({ mountPath, readOnly = false, subPath }) => [mountPath, readOnly, subPath])).toEqual([
        ["/config", false, undefined],
        ["/config/.venv", false, undefined],
    ]);
});
