import { spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { Failure, runMain } from "../../lib/failure";
import { drawScreen } from "./draw";
import { screenOf } from "./screen";

const file = "docs/start.svg";
const terminal = { columns: 92, rows: 50 };

/** `npm run recording`: runs `npm start` at a terminal, and draws docs/start.svg from its final screen. */
async function main(): Promise<number> {
    const { columns, rows } = terminal;
    const command = `stty columns ${columns} rows ${rows}; npm run --silent start`;
    const child = spawn("script", ["--quiet", "--return", "--command", command, "/dev/null"], {
        stdio: ["inherit", "pipe", "inherit"],
        env: { ...process.env, TERM: "xterm-256color" },
    });
    let output = "";
    child.stdout.on("data", (chunk: Buffer) => {
        output += chunk.toString();
        process.stdout.write(chunk);
    });
    const code = await new Promise<number | null>((done, fail) => child.once("error", fail).once("close", done));
    if (code !== 0) {
        throw new Failure(`npm start exited with ${code}: ${file} stays as it was`);
    }
    const lines = await screenOf(output, columns, rows);
    // Pulumi's lines above the table contain paths of this machine.
    const table = lines.slice(lines.findIndex(([first]) => first?.text.startsWith("TIER")));
    writeFileSync(file, drawScreen(table, "What npm start shows in the end", columns));
    return 0;
}

runMain("recording", main);
