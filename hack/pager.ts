import { spawn } from "node:child_process";

/** Exit code of a shell that does not find the program. */
const notThere = 127;

/** Shows a long text: in the user's pager on a terminal, and unchanged elsewhere. */
export async function page(text: string): Promise<void> {
    if (!process.stdout.isTTY) {
        process.stdout.write(text);
        return;
    }
    const env = { LESS: "FRX", ...process.env };
    const pager = spawn(process.env["PAGER"] || "less", { shell: true, stdio: ["pipe", "inherit", "inherit"], env });
    // The user may leave the pager before the end.
    pager.stdin.on("error", () => undefined);
    pager.stdin.end(text);
    const code = await new Promise((resolve) => pager.once("close", resolve));
    if (code === notThere) {
        process.stdout.write(text);
    }
}
