import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { stringify } from "yaml";
import { claimsThatLeave, findClaimsThatLeave } from "../../../provision/leaving";

const volume = (node: string, name: string) => ({
    spec: {
        claimRef: { namespace: "media", name },
        nodeAffinity: {
            required: {
                nodeSelectorTerms: [
                    { matchExpressions: [{ key: "kubernetes.io/hostname", operator: "In", values: [node] }] },
                ],
            },
        },
    },
});
const network = { spec: { claimRef: { namespace: "media", name: "films" } } };

const copy = (claim: string, startTime: string, nodeName = "nas", phase = "Succeeded", namespace = "media") => ({
    metadata: { namespace, labels: { "hearth/backup": "backup", "hearth/claim": claim } },
    spec: { nodeName },
    status: { phase, startTime },
});

test("claims leave with the node that has their volume on its disk", () => {
    const volumes = [volume("nas", "jellyfin-config"), volume("attic", "navidrome-config"), network];
    expect(claimsThatLeave({ volumes, copies: [] }, ["attic"])).toEqual(["media/jellyfin-config on nas, no copy"]);
    expect(claimsThatLeave({ volumes, copies: [] }, ["attic", "nas"])).toEqual([]);
});

test("a claim's copy is the newest one that succeeded on its node", () => {
    const copies = [
        copy("jellyfin-config", "2026-11-29T02:00:00Z"),
        copy("jellyfin-config", "2026-11-30T02:00:00Z"),
        copy("jellyfin-config", "2026-11-30T12:00:00Z", "nas", "Failed"),
        copy("jellyfin-config", "2026-11-30T13:00:00Z", "attic"),
        copy("jellyfin-config", "2026-11-30T14:00:00Z", "nas", "Succeeded", "other"),
        copy("navidrome-config", "2026-11-30T15:00:00Z"),
    ];
    expect(claimsThatLeave({ volumes: [volume("nas", "jellyfin-config")], copies }, [])).toEqual([
        "media/jellyfin-config on nas, copied at 2026-11-30T02:00:00Z",
    ]);
});

test("the API server is contacted with the administrator's certificate, and an unreachable one has no claims", async () => {
    const folder = mkdtempSync(join(tmpdir(), "hearth-leaving-"));
    const files = ["-keyout", join(folder, "key"), "-out", join(folder, "crt")];
    const subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"];
    execFileSync("openssl", ["req", "-x509", "-newkey", "ed25519", "-nodes", ...subject, ...files], {
        stdio: "ignore",
    });
    const [key, cert] = [readFileSync(join(folder, "key")), readFileSync(join(folder, "crt"))];
    rmSync(folder, { recursive: true });
    const server = createServer(
        { key, cert, ca: cert, requestCert: true, rejectUnauthorized: true },
        (request, response) => {
            const lists: Readonly<Record<string, object[]>> = {
                "/api/v1/persistentvolumes": [volume("nas", "a")],
                "/api/v1/pods?labelSelector=hearth%2Fbackup%3Dbackup": [copy("a", "2026-11-30T02:00:00Z")],
            };
            response.end(JSON.stringify({ items: lists[request.url ?? ""] }));
        },
    );
    await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
    const { port } = server.address() as AddressInfo;
    const [ca, own] = [cert.toString("base64"), key.toString("base64")];
    const kubeconfig = stringify({
        clusters: [{ cluster: { server: `https://127.0.0.1:${port}`, "certificate-authority-data": ca } }],
        users: [{ user: { "client-certificate-data": ca, "client-key-data": own } }],
    });

    expect(await findClaimsThatLeave(kubeconfig, ["attic"])).toEqual([
        "media/a on nas, copied at 2026-11-30T02:00:00Z",
    ]);

    await new Promise((closed) => {
        server.close(closed);
        server.closeAllConnections();
    });
    expect(await findClaimsThatLeave(kubeconfig, ["attic"])).toEqual([]);
    expect(await findClaimsThatLeave("", [])).toEqual([]);
});
