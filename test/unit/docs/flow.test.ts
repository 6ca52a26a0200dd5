import { spawnSync } from "node:child_process";
import { resolve } from "node:path";

test("the README's picture shows the current program", () => {
    const root = resolve(__dirname, "../../..");
    const args = ["--import", "tsx", "docs/flow/main.ts", "--check"];
    const { status, stderr } = spawnSync(process.execPath, args, { cwd: root, encoding: "utf8" });

    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
});
