import { spawn } from "node:child_process";
import { once } from "node:events";
import { resolve } from "node:path";

/** Like the SDK: prints every thrown error. */
const program = `
    require(${JSON.stringify(resolve(__dirname, "../../../config/process.ts"))});
    process.on("uncaughtException", (error) => console.error(error));
    process.stdin.resume().on("end", () => console.error("nobody reads this"));
    setInterval(() => undefined, 1_000);
    console.log("ready");
`;

test("a program whose engine was killed exits at the next line that it prints", async () => {
    const child = spawn(process.execPath, ["--import", "tsx", "--eval", program], { stdio: "pipe" });
    await once(child.stdout, "data");
    child.stdout.destroy();
    child.stderr.destroy();
    const ended = once(child, "exit");
    child.stdin.end();
    expect(await ended).toEqual([1, null]);
});
