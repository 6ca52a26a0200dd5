import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readYamlFile } from "../../../components/yaml-file";

const directory = mkdtempSync(join(tmpdir(), "hearth-yaml-"));
const file = join(directory, "values.yaml");

afterAll(() => rmSync(directory, { recursive: true }));

test("checks that read the same file share one document, and none can change it for the others", () => {
    writeFileSync(file, "workloads: {app: {replicas: 1}}\n");
    const { document } = readYamlFile(file);

    expect(document).toEqual({ workloads: { app: { replicas: 1 } } });
    expect(readYamlFile(file).document).toBe(document);
    expect(() => {
        Object(document).workloads.app.replicas = 2;
    }).toThrow(TypeError);
});

test("a file that has changed is read again", () => {
    writeFileSync(file, "replicas: 1\n");
    expect(readYamlFile(file)).toEqual({ document: { replicas: 1 } });
    writeFileSync(file, "replicas: 2\n");
    expect(readYamlFile(file)).toEqual({ document: { replicas: 2 } });
    writeFileSync(file, "replicas: [\n");
    expect(readYamlFile(file).mistake).toMatch(/^line \d: /);
});
