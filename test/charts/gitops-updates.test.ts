import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { chartsDirectory } from "./workspace";

const script = pathToFileURL(join(chartsDirectory, "gitops/config/updates/updates.mjs")).href;

/** Results of a function of the script for several lists of arguments. */
function call(name: string, all: readonly (readonly string[])[]): unknown[] {
    const program = `import { ${name} as called } from ${JSON.stringify(script)};
        const plain = (value) => value instanceof Map ? Object.fromEntries(value) : value ?? null;
        console.log(JSON.stringify(${JSON.stringify(all)}.map((each) => plain(called(...each)))));`;
    return JSON.parse(execFileSync(process.execPath, ["--input-type=module", "--eval", program], { encoding: "utf8" }));
}

const digest = `@sha256:${"0f".repeat(32)}`;
const other = `@sha256:${"1e".repeat(32)}`;

const patches: readonly (readonly [before: string, after: string])[] = [
    ["tag: 1.2.3", "tag: 1.2.4"],
    ["  tag: v1.9.9", "  tag: v1.9.10"],
    ["tag: 1.2.3-alpine3.22", "tag: 1.2.4-alpine3.22"],
    ["tag: 4.0.15.2941", "tag: 4.0.16.2944"],
    ["tag: 4.0.15.2941", "tag: 4.0.15.3000"],
    ["tag: 2026.8.3", 'tag: "2026.8.4"'],
    ["tag: 1.2.3", `tag: "1.2.3${digest}"`],
    [`tag: "1.2.3${digest}"`, `tag: "1.2.3${other}"`],
    [`tag: "1.2.3${digest}"`, `tag: "1.2.4${other}"`],
    [`tag: latest${digest}`, `tag: latest${other}`],
];

const others: readonly (readonly [before: string, after: string])[] = [
    ["tag: 1.2.3", "tag: 1.3.0"],
    ["tag: 1.2.3", "tag: 2.2.4"],
    ["tag: 1.2.4", "tag: 1.2.3"],
    ["tag: 16.4", "tag: 16.5"],
    ["tag: 1.2.3", "tag: 1.2.4-rc1"],
    ["tag: 1.2.3-alpine3.21", "tag: 1.2.4-alpine3.22"],
    ["tag: v1.2.3", "tag: 1.2.4"],
    ["tag: latest", "tag: edge"],
    [`tag: "1.2.3${digest}"`, "tag: 1.2.3"],
    ["tag: 1.2.3", "  tag: 1.2.4"],
    ["tag: 1.2.3", "tag: 1.2.4 # {{ fail }}"],
    ["repository: docker.io/a", "repository: docker.io/b"],
    ["size: 1.2.3", "size: 1.2.4"],
    ["tag: 1.2.3", "tag: 1.2.3"],
];

test("later patch versions and other digests merge by themselves, and nothing else", () => {
    const results = call("isPatch", [...patches, ...others]);
    expect([...patches, ...others].filter((_, index) => results[index])).toEqual(patches);
});

const file = (path: string, ...lines: string[]) =>
    [
        `diff --git a/${path} b/${path}`,
        "index 1111111..2222222 100644",
        `--- a/${path}`,
        `+++ b/${path}`,
        "@@ -5,7 +5,7 @@ workloads:",
        "     image:",
        ...lines,
        "     env:",
        "",
    ].join("\n");

const patch = ["-      tag: 1.2.3", "+      tag: 1.2.4"];

test("a request is read as the tags that it sets in each file; undefined if it does anything else", () => {
    const good = file("charts/kavita/values.yaml", ...patch);
    const added = good.replace("index 1111111..2222222 100644", "new file mode 100644\nindex 0000000..2222222");
    const diffs: readonly (readonly [diff: string, changes: unknown])[] = [
        [good, { "charts/kavita/values.yaml": ["tag: 1.2.4"] }],
        [
            good + file("charts/garage/values.yaml", ...patch, "       x: y", ...patch),
            { "charts/kavita/values.yaml": ["tag: 1.2.4"], "charts/garage/values.yaml": ["tag: 1.2.4", "tag: 1.2.4"] },
        ],
        ["", null],
        [file("charts/kavita/values.yaml", ...patch, "+      command: [sh]"), null],
        [file("charts/kavita/values.yaml", "-      tag: 1.2.3", "+      tag: 1.3.0"), null],
        [file("charts/kavita/templates/x.tpl", ...patch), null],
        [file("components/releases.ts", ...patch), null],
        [file("charts/../components/x.yaml", ...patch), null],
        [good + file("package.json", ...patch), null],
        [added, null],
        [good.replace("100644", "100755"), null],
        [good.replace(/^--- .*$/m, "--- a/charts/other/values.yaml"), null],
        ["diff --git a/a.png b/a.png\nindex 1111111..2222222 100644\nBinary files a/a.png and b/a.png differ\n", null],
    ];
    expect(
        call(
            "patchesIn",
            diffs.map(([diff]) => [diff]),
        ),
    ).toEqual(diffs.map(([, changes]) => changes));
});
