import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parse } from "yaml";

const script = join(__dirname, "../../charts/arr/config/bazarr/api-key.sh");
const directory = mkdtempSync(join(tmpdir(), "hearth-bazarr-"));
const file = join(directory, "config/config.yaml");

/** The configuration after the chart's script has changed it. */
function withKey(before?: string): unknown {
    rmSync(join(directory, "config"), { recursive: true, force: true });
    if (before !== undefined) {
        execFileSync("mkdir", ["-p", join(directory, "config")]);
        writeFileSync(file, before);
    }
    execFileSync("sh", [script, file], { env: { PATH: process.env["PATH"], API_KEY: "c0ffee" } });
    return parse(readFileSync(file, "utf8"));
}

afterAll(() => rmSync(directory, { recursive: true }));

test.each([
    ["no file: the first start", undefined, { auth: { apikey: "c0ffee" } }],
    ["an empty file", "", { auth: { apikey: "c0ffee" } }],
    [
        "another key: it was rotated",
        "analytics:\n  enabled: true\nauth:\n  apikey: old\n  type: form\ngeneral:\n  ip: '*'\n",
        { analytics: { enabled: true }, auth: { apikey: "c0ffee", type: "form" }, general: { ip: "*" } },
    ],
    [
        "a login without a key",
        "auth:\n  type: form\ngeneral:\n  port: 6767\n",
        { auth: { apikey: "c0ffee", type: "form" }, general: { port: 6767 } },
    ],
    [
        "keys of other programs, which stay",
        "auth:\n  apikey: old\nsonarr:\n  apikey: sonarrs\n",
        { auth: { apikey: "c0ffee" }, sonarr: { apikey: "sonarrs" } },
    ],
    ["a section after which nothing comes", "general: {}\nauth:\n", { general: {}, auth: { apikey: "c0ffee" } }],
])("Bazarr uses the API key of its Secret, with %s", (_, before, after) => {
    expect(withKey(before)).toEqual(after);
});
