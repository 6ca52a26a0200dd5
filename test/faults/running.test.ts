import { basename } from "node:path";
import { ownProcesses } from "../../sandbox/own-processes";
import { sandboxPaths } from "../../sandbox/paths";
import { Home, isReady, until } from "../sandbox/home";
import { secretValues } from "../sandbox/killed-run";

/** Two cores and a fresh cluster: minutes, in milliseconds. */
const limit = 15 * 60_000;

/** How long a process that was killed may be missed, in milliseconds. */
const soon = 120_000;

let home: Home;
let revision: string;

const up = () => home.pulumi("up", "--refresh", "--yes", "--skip-preview", "--parallel", "64");

/** The home's processes by the name of their program. */
function pidsOf(program: string): number[] {
    return ownProcesses(sandboxPaths(home.root))
        .filter(({ path }) => basename(path).split(" ", 1)[0] === program)
        .map(({ pid }) => pid);
}

async function allReady(): Promise<boolean> {
    const applications = await home.applications().catch(() => undefined);
    return applications !== undefined && [...applications.values()].every((each) => isReady(each, revision));
}

beforeAll(async () => {
    home = await Home.create();
    home.keepApplications("cert-manager", "database", "gitops", "qbittorrent");
    revision = await home.commit("a small home");
    const { code, output } = await home.start();
    expect(code === 0 ? "" : output).toBe("");
}, limit);

afterAll(async () => home.remove(), limit);

describe("somebody changed by hand what Pulumi owns", () => {
    test(
        "a Secret that was deleted comes back with the same values, and what was edited is as the program says",
        async () => {
            const before = await secretValues(home);
            const pool = ["ipaddresspool/home", "--namespace=metallb-system"];
            const { spec } = await home.get<{ spec: object }>(...pool);
            await home.kubectl("delete", "secret/qbittorrent-secrets", "--namespace=qbittorrent");
            await home.kubectl(
                "patch",
                ...pool,
                "--type=merge",
                '--patch={"spec":{"addresses":["10.99.0.1-10.99.0.9"]}}',
            );

            const { code, output } = await up();

            expect(code === 0 ? "" : output).toBe("");
            expect(await secretValues(home)).toEqual(before);
            expect(await home.get(...pool)).toMatchObject({ spec });
        },
        limit,
    );
});

describe("somebody changed by hand what Argo CD owns", () => {
    test(
        "Pulumi leaves it as it is",
        async () => {
            const deployment = ["deployment/qbittorrent", "--namespace=qbittorrent"];
            await home.kubectl("patch", ...deployment, "--type=merge", '--patch={"spec":{"paused":true}}');

            const { code, output } = await up();

            expect(code === 0 ? "" : output).toBe("");
            expect(await home.get(...deployment)).toMatchObject({ spec: { paused: true } });
            await home.kubectl("patch", ...deployment, "--type=merge", '--patch={"spec":{"paused":null}}');
        },
        limit,
    );
});

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
            await until("every Application is ready", soon, allReady);
        },
        limit,
    );
});
