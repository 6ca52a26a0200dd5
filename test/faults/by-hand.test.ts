import type { Home } from "../sandbox/home";
import { until } from "../sandbox/home";
import { secretValues } from "../sandbox/killed-run";
import { fault, limit } from "./fault";
import { runningHome, soon, succeeded, upRefreshed } from "./small-home";

let home: Home;

const pool = ["ipaddresspool/home", "--namespace=metallb-system"];
const deployment = ["deployment/qbittorrent", "--namespace=qbittorrent"];
const merge = (patch: object) => ["--type=merge", `--patch=${JSON.stringify(patch)}`];

/**
 * Reports whether Argo CD finds qbittorrent Healthy, which a missing object does not change, and in this state of sync.
 */
async function qbittorrentIs(sync: "Synced" | "OutOfSync"): Promise<boolean> {
    const status = (await home.applications()).get("qbittorrent")?.status;
    return status?.sync?.status === sync && status.health?.status === "Healthy";
}

beforeAll(async () => {
    home = await runningHome();
}, limit);

afterAll(async () => home?.remove(), limit);

fault(
    {
        broken: "a Secret is deleted, an address pool edited",
        when: "idle",
        holds: "`pulumi up --refresh` restores its objects, the Secret with the same values",
    },
    async (mended) => {
        const before = await secretValues(home);
        const { spec } = await home.get<{ spec: object }>(...pool);
        succeeded(await home.kubectl("delete", "secret/qbittorrent-secrets", "--namespace=qbittorrent"));
        succeeded(await home.kubectl("patch", ...pool, ...merge({ spec: { addresses: ["10.99.0.1-10.99.0.9"] } })));
        mended();

        succeeded(await upRefreshed(home));

        expect(await secretValues(home)).toEqual(before);
        expect(await home.get(...pool)).toMatchObject({ spec });
    },
);

fault(
    {
        broken: "an Application is deleted with all of its objects",
        when: "idle",
        holds: "`pulumi up --refresh` makes Argo CD deploy it again, and its volumes were not deleted",
    },
    async (mended) => {
        const claims = async () =>
            (await home.get<{ items: { metadata: { uid: string } }[] }>("pvc", "--namespace=qbittorrent")).items.map(
                ({ metadata }) => metadata.uid,
            );
        const before = await claims();
        expect(before).not.toEqual([]);
        succeeded(await home.kubectl("delete", "application/qbittorrent", "--namespace=argocd", "--timeout=120s"));
        mended();

        succeeded(await upRefreshed(home));

        const applications = await home.applications();
        for (const name of ["qbittorrent", "root"]) {
            expect(applications.get(name)?.status).toMatchObject({
                sync: { status: "Synced" },
                health: { status: "Healthy" },
            });
        }
        expect(await claims()).toEqual(before);
    },
);

fault(
    {
        broken: "a Deployment of Argo CD's is edited",
        when: "idle",
        holds: "`pulumi up --refresh` leaves it unchanged",
    },
    async () => {
        succeeded(await home.kubectl("patch", ...deployment, ...merge({ spec: { paused: true } })));

        succeeded(await upRefreshed(home));

        expect(await home.get(...deployment)).toMatchObject({ spec: { paused: true } });
        succeeded(await home.kubectl("patch", ...deployment, ...merge({ spec: { paused: null } })));
    },
);

fault(
    {
        broken: "a Deployment of Argo CD's is deleted",
        when: "idle",
        holds: "Argo CD shows it as OutOfSync, and a manual sync recreates it",
    },
    async (mended) => {
        await until("all is as Git says", soon, () => qbittorrentIs("Synced"));
        succeeded(await home.kubectl("delete", ...deployment));
        await until("Argo CD sees that it is gone", soon, () => qbittorrentIs("OutOfSync"));
        mended();
        succeeded(
            await home.kubectl(
                ...["patch", "application/qbittorrent", "--namespace=argocd"],
                ...merge({ operation: { sync: { syncStrategy: { apply: {} } } } }),
            ),
        );
        await until("it exists again", soon, () => qbittorrentIs("Synced"));
        expect(await home.get(...deployment)).toMatchObject({ status: { readyReplicas: 1 } });
    },
);
