import { execFileSync, spawnSync } from "node:child_process";
import { tool } from "../../toolchain/tools";

test("Vale has no findings in pages, scripts and the comments of sources", () => {
    const files = execFileSync("git", ["ls-files", "*.md", "*.ts", "*.mts", "*.sh"], { encoding: "utf8" });

    const vale = spawnSync(tool("vale"), ["--output=line", ...files.trim().split("\n")], { encoding: "utf8" });
    expect({ findings: vale.stdout, code: vale.status }).toEqual({ findings: "", code: 0 });
});
