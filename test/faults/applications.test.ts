import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { keyPairs } from "../key-pairs";
import type { Home } from "../sandbox/home";
import { until } from "../sandbox/home";
import { secretValues } from "../sandbox/killed-run";
import { fault, limit } from "./fault";
import { changed, runningHome, soon, succeeded, untilReady, up, upRefreshed } from "./small-home";

let home: Home;

const application = ["application/qbittorrent", "--namespace=argocd"];
const merge = (patch: object) => ["--type=merge", `--patch=${JSON.stringify(patch)}`];

/** A finalizer that no controller removes blocks a deletion forever. */
const hold = (held: boolean, ...object: string[]) =>
    home.kubectl("patch", ...object, ...merge({ metadata: { finalizers: held ? ["hearth.test/hold"] : null } }));

/** Command that makes Argo CD restore missing objects. */
const sync = () => home.kubectl("patch", ...application, ...merge({ operation: { sync: {} } }));

const qbittorrentReady = async () => {
    const status = (await home.applications()).get("qbittorrent")?.status;
    return status?.sync?.status === "Synced" && status.health?.status === "Healthy";
};

beforeAll(async () => {
    home = await runningHome((each) => {
        each.edit("Pulumi.sandbox.yaml", (text) => text.replace("config:\n", "config:\n  hearth:tierTimeout: 90s\n"));
    });
}, limit);

afterAll(async () => home?.remove(), limit);

interface Pods {
    readonly items: readonly { readonly metadata: { readonly name: string } }[];
}

/** Makes the pods of qbittorrent alternate between ready and not ready until it is stopped. */
async function flapUntil(isOver: () => boolean): Promise<void> {
    for (let ready = false; !isOver(); ready = !ready) {
        const { items } = await home.get<Pods>("pods", "--namespace=qbittorrent");
        const conditions = ["Ready", "ContainersReady"].map((type) => ({ type, status: ready ? "True" : "False" }));
        for (const { metadata } of items) {
            await home.kubectl(
                ...["patch", "pod", metadata.name, "--namespace=qbittorrent", "--subresource=status"],
                ...["--type=strategic", `--patch=${JSON.stringify({ status: { conditions } })}`],
            );
        }
    }
}

fault(
    {
        broken: "an app flaps",
        when: "while a commit is rolled out",
        holds: "`pulumi up` ends, and names the app if it is late; once the app is stable, the next one finishes",
    },
    async (mended) => {
        const revision = await changed(home);
        await home.push();
        let over = false;
        const flapping = flapUntil(() => over);
        const { code, output } = await up(home).finally(() => {
            over = true;
        });
        await flapping;
        if (code !== 0) {
            expect(output).toMatch(/Application qbittorrent \(tier 3\) did not become Synced and Healthy in time/);
        }
        await home.kubectl("delete", "pods", "--all", "--namespace=qbittorrent");
        mended();

        succeeded(await up(home));

        await untilReady(home, revision);
    },
);

fault(
    {
        broken: "an Application is stuck in deletion: a finalizer holds its objects",
        when: "while a commit is rolled out",
        holds: "`pulumi up` reports it; once it is gone, `pulumi up --refresh` recreates it",
    },
    async (mended) => {
        const before = await secretValues(home);
        const deployment = ["deployment/qbittorrent", "--namespace=qbittorrent"];
        succeeded(await hold(true, ...deployment));
        succeeded(await home.kubectl("delete", ...application, "--wait=false"));
        await changed(home);
        await home.push();

        const { code, output } = await up(home);
        expect(code).not.toBe(0);
        expect(output).toMatch(/Application qbittorrent \(tier 3\) did not become Synced and Healthy in time/);
        expect(output).toMatch(/it has been in deletion since \S+: Argo CD waits until all of its objects are gone/);

        succeeded(await hold(false, ...deployment));
        await until("it is gone", soon, async () => (await home.kubectl("get", ...application)).code !== 0);
        mended();
        succeeded(await upRefreshed(home));

        expect(await qbittorrentReady()).toBe(true);
        expect(await secretValues(home)).toEqual(before);
    },
);

fault(
    {
        broken: "a namespace is stuck in termination: a finalizer holds its objects",
        when: "idle",
        holds: "`pulumi up` reports it; once it is gone, `pulumi up --refresh` recreates it with its secrets, and a sync the rest",
    },
    async (mended) => {
        const before = await secretValues(home);
        const held = ["configmap/held", "--namespace=qbittorrent"];
        succeeded(await home.kubectl("create", "configmap", "held", "--namespace=qbittorrent"));
        succeeded(await hold(true, ...held));
        succeeded(await home.kubectl("delete", "namespace/qbittorrent", "--wait=false"));
        await until("all else in it is gone", soon, async () =>
            Object.keys(await secretValues(home)).every((key) => !key.startsWith("qbittorrent.")),
        );

        const { code, output } = await upRefreshed(home);
        expect(code).not.toBe(0);
        expect(output).toMatch(/qbittorrent.* because it is being terminated/);

        succeeded(await hold(false, ...held));
        await until("it is gone", soon, async () => (await home.kubectl("get", "namespace/qbittorrent")).code !== 0);
        mended();
        succeeded(await upRefreshed(home));
        expect(await secretValues(home)).toEqual(before);
        succeeded(await sync());
        await until("qbittorrent is ready", soon, qbittorrentReady);
    },
);

fault(
    {
        broken: "a CRD of MetalLB's is deleted, with every address pool",
        when: "idle",
        holds: "`pulumi up --refresh` names the missing kind; after `hack/recover` it recreates the pool",
    },
    async (mended) => {
        const pool = ["ipaddresspool/home", "--namespace=metallb-system"];
        const { spec } = await home.get<{ spec: object }>(...pool);
        succeeded(await home.kubectl("delete", "crd/ipaddresspools.metallb.io"));

        const { code, output } = await upRefreshed(home);
        expect(code).not.toBe(0);
        expect(output).toMatch(/no matches for kind "IPAddressPool" in version "metallb.io\/v1beta1"/);

        mended();
        const recovery = await home.hack("recover", "--stack", "sandbox");
        expect(recovery.output).toContain(
            "CustomResourceDefinition ipaddresspools.metallb.io was missing, and is recreated",
        );
        succeeded(await upRefreshed(home));

        expect(await home.get(...pool)).toMatchObject({ spec });
    },
);

/** Adds a webhook for all address pools that answers 500 until the returned function is called. */
async function brokenWebhook(): Promise<() => Promise<void>> {
    const [pair] = keyPairs;
    const server = createServer(pair, (_, response) => response.writeHead(500).end("out of order"));
    await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
    home.write(
        ".sandbox/webhook.json",
        JSON.stringify({
            apiVersion: "admissionregistration.k8s.io/v1",
            kind: "ValidatingWebhookConfiguration",
            metadata: { name: "broken" },
            webhooks: [
                {
                    name: "broken.hearth.test",
                    clientConfig: {
                        url: `https://127.0.0.1:${(server.address() as AddressInfo).port}/`,
                        caBundle: Buffer.from(pair.cert).toString("base64"),
                    },
                    rules: [
                        {
                            apiGroups: ["metallb.io"],
                            apiVersions: ["*"],
                            operations: ["CREATE", "UPDATE"],
                            resources: ["ipaddresspools"],
                        },
                    ],
                    sideEffects: "None",
                    admissionReviewVersions: ["v1"],
                },
            ],
        }),
    );
    succeeded(await home.kubectl("create", "--filename", `${home.root}/.sandbox/webhook.json`));
    return async () => {
        succeeded(await home.kubectl("delete", "validatingwebhookconfiguration/broken"));
        server.closeAllConnections();
        await new Promise((closed) => server.close(closed));
    };
}

fault(
    {
        broken: "a webhook of MetalLB's objects answers 500",
        when: "while the home gets another range of addresses",
        holds: "`pulumi up` names the webhook; once it answers, the next one finishes",
    },
    async (mended) => {
        const repair = await brokenWebhook();
        try {
            home.edit("Pulumi.sandbox.yaml", (text) =>
                text.replace("10.20.0.200-10.20.0.250", "10.20.0.200-10.20.0.240"),
            );
            const { code, output } = await up(home);
            expect(code).not.toBe(0);
            expect(output).toMatch(/failed calling webhook "broken.hearth.test".*out of order/s);
        } finally {
            await repair();
        }
        mended();

        succeeded(await up(home));

        expect(await home.get("ipaddresspool/home", "--namespace=metallb-system")).toMatchObject({
            spec: { addresses: ["10.20.0.200-10.20.0.240"] },
        });
    },
);
