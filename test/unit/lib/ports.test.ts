import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";

/** Picks ports in a process of its own, in which no program listens on them; it runs until its input ends. */
function pickInProcess(count: number) {
    const program = `
        import { freePort } from "./lib/ports.ts";
        const ports = [];
        while (ports.length < ${count}) ports.push(await freePort());
        console.log(JSON.stringify(ports));
        process.stdin.resume();
    `;
    const child = spawn(process.execPath, ["--import", "tsx", "--input-type=module", "--eval", program], {
        stdio: ["pipe", "pipe", "inherit"],
    });
    return { child, ports: once(createInterface(child.stdout), "line").then(([line]): number[] => JSON.parse(line)) };
}

test("processes that run at the same time never pick the same port, though no program listens yet", async () => {
    const pickers = [400, 400, 400].map(pickInProcess);
    try {
        const picked = (await Promise.all(pickers.map(({ ports }) => ports))).flat();
        // Without the locks, some 50 of 1,200 in a range of 10,000 are picked twice.
        expect(new Set(picked).size).toBe(1200);
    } finally {
        for (const { child } of pickers) {
            child.stdin.end();
        }
        await Promise.all(pickers.map(({ child }) => child.exitCode ?? once(child, "exit")));
    }
});
