import { basename } from "node:path";
import { ownProcesses } from "../../sandbox/own-processes";
import { sandboxPaths } from "../../sandbox/paths";
import { Home, until } from "../sandbox/home";
import { limit } from "./fault";
import { allReady } from "./small-home";

/** How long a process that was killed may be missed, in milliseconds. */
const soon = 120_000;

let home: Home;
let revision: string;

/** The home's processes by the name of their program. */
function pidsOf(program: string): number[] {
    return ownProcesses(sandboxPaths(home.root))
        .filter(({ path }) => basename(path).split(" ", 1)[0] === program)
        .map(({ pid }) => pid);
}

beforeAll(async () => {
    home = await Home.create();
    home.keepApplications("cert-manager", "database", "gitops", "qbittorrent");
    revision = await home.commit("a small home");
    const { code, output } = await home.start();
    expect(code === 0 ? "" : output).toBe("");
}, limit);

afterAll(async () => home.remove(), limit);

describe.each([
    "etcd",
    "kube-apiserver",
    "kube-controller-manager",
    "argocd-application-controller",
    "argocd-repo-server",
    "argocd-redis",
])("%s", (program) => {
    test(
        "was killed: `npm start` has it again, and every Application is ready",
        async () => {
            const pids = pidsOf(program);
            expect(pids).not.toEqual([]);
            for (const pid of pids) {
                process.kill(pid, "SIGKILL");
            }

            const { code, output } = await home.start();

            expect(code === 0 ? "" : output).toBe("");

            await until(`${program} runs again`, soon, async () => pidsOf(program).length > 0);
            await until("every Application is ready", soon, () => allReady(home, revision));
        },
        limit,
    );
});
