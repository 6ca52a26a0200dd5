import { randomBytes } from "node:crypto";
import { rmSync, truncateSync } from "node:fs";
import { join } from "node:path";
import type { GiteaAccess, Home } from "../sandbox/home";
import { until } from "../sandbox/home";
import { declaredObjects, secretValues } from "../sandbox/killed-run";
import { fault, limit } from "./fault";
import { SmallDisk } from "./small-disk";
import {
    changed,
    everything,
    pushToGitea,
    runningHomeWithGitea,
    soon,
    succeeded,
    untilReady,
    up,
    upRecovered,
} from "./small-home";

const MiB = 2 ** 20;

let home: Home;
let gitea: GiteaAccess;
let objects: readonly string[];

const inHome = (...names: string[]) => join(home.root, ...names);

/** Puts a folder of the home's on a small disk for as long as `body` runs. */
async function withSmallDisk(folder: string, size: number, body: (disk: SmallDisk) => Promise<void>): Promise<void> {
    const disk = await SmallDisk.under(folder, size);
    try {
        await body(disk);
    } finally {
        await home.stop();
        await disk.remove();
    }
}

beforeAll(async () => {
    ({ home, gitea } = await runningHomeWithGitea());
    objects = await declaredObjects(home);
}, limit);

afterAll(async () => home?.remove(), limit);

fault(
    {
        broken: "the disk with the Git repositories is full",
        when: "while a large commit is pushed",
        holds: "the push is rejected and the services keep running; once space is free, the push is accepted and rolled out",
    },
    async (mended) => {
        const { metadata } = await home.get<{ metadata: { uid: string } }>("pvc/gitea-data", "--namespace=gitops");
        await home.stop();
        const repositories = inHome(".sandbox/gitea", metadata.uid, "data/gitea-repositories");
        await withSmallDisk(repositories, 24 * MiB, async (disk) => {
            succeeded(await home.start());
            home.write("photo.raw", randomBytes(40 * MiB).toString("latin1"));
            const revision = await changed(home);
            const { code, output } = await pushToGitea(home, gitea);
            expect(code).not.toBe(0);
            expect(output).toMatch(/No space left on device|unpack|remote/i);
            succeeded(await up(home));
            await disk.grow();
            mended();

            succeeded(await pushToGitea(home, gitea));
            succeeded(await up(home));
            await untilReady(home, revision);
        });
        succeeded(await home.start());
    },
);

fault(
    {
        broken: "the disk with etcd's data is full",
        when: "idle",
        holds: "writes fail with an error; once space is free, `npm start` restores the cluster with all acknowledged writes",
    },
    async (mended) => {
        const before = await everything(home);
        await home.stop();
        const data = inHome(".sandbox/kwok/clusters/hearth/etcd");
        await withSmallDisk(data, 200 * MiB, async (disk) => {
            succeeded(await home.start());
            succeeded(await home.kubectl("create", "namespace", "filling"));
            home.write(
                ".sandbox/large",
                randomBytes(MiB * 0.7)
                    .toString("base64")
                    .slice(0, 900_000),
            );
            const taken: string[] = [];
            await until("no more is taken", soon, async () => {
                const name = `large-${taken.length}`;
                const { code } = await home.kubectl(
                    ...["create", "configmap", name, "--namespace=filling"],
                    `--from-file=${inHome(".sandbox/large")}`,
                );
                if (code === 0) {
                    taken.push(name);
                }
                return code !== 0;
            });
            await disk.grow();
            mended();

            succeeded(await home.start());

            const { output } = await home.kubectl("get", "configmaps", "--namespace=filling", "--output=name");
            expect(output.split("\n")).toEqual(expect.arrayContaining(taken.map((name) => `configmap/${name}`)));
            succeeded(await home.kubectl("delete", "namespace", "filling"));
            expect(await everything(home)).toEqual(before);
        });
        rmSync(inHome(".sandbox/large"));
        succeeded(await home.start());
    },
);

fault(
    {
        broken: "the state and its copy are truncated, as on a full disk",
        when: "idle",
        holds: "`hack/recover` and `pulumi up` finish, no secret value is lost, and nothing is duplicated",
    },
    async (mended) => {
        const before = await everything(home);
        const state = inHome(".state/.pulumi/stacks/hearth/sandbox.json");
        for (const file of [state, `${state}.bak`]) {
            truncateSync(file, 12_288);
        }
        mended();

        succeeded(await upRecovered(home));

        expect(await everything(home)).toEqual(before);
    },
);

fault(
    {
        broken: "the disk with the state is full",
        when: "in a first run",
        holds: "`npm start` reports it before any change; once space is free, it continues",
    },
    async (mended) => {
        await home.stop("--delete");
        await withSmallDisk(inHome(".state/.pulumi"), MiB / 2, async (disk) => {
            const { code, output } = await home.start();
            expect(code).not.toBe(0);
            expect(output).toMatch(/The disk with the state has 0\.\d MiB left/);
            expect(await secretValues(home)).toEqual({});
            await disk.grow();
            mended();

            succeeded(await home.start());

            expect(await declaredObjects(home)).toEqual(objects);
        });
        succeeded(await home.start());
    },
);
