import { spawnSync } from "node:child_process";
import { resolve } from "node:path";

test("the page about faults shows the results of their last run", () => {
    const root = resolve(__dirname, "../../..");
    const args = ["--import", "tsx", "docs/faults/main.ts", "--check"];
    const { status, stderr } = spawnSync(process.execPath, args, { cwd: root, encoding: "utf8" });

    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
});
