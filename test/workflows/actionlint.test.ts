import { execFileSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { tool } from "../../toolchain/tools";

const folder = ".gitea/workflows";

test("actionlint has no findings in the workflows", () => {
    const files = readdirSync(folder).map((file) => join(folder, file));
    // Without linters that only some machines have, so that findings are the same everywhere.
    const options = ["-config-file", ".gitea/actionlint.yaml", "-shellcheck=", "-pyflakes=", "-oneline"];

    expect(execFileSync(tool("actionlint"), [...options, ...files], { encoding: "utf8" })).toBe("");
});
