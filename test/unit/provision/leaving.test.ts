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

test("claims leave with the node that has their volume on its disk", () => {
    const volumes = [volume("nas", "jellyfin-config"), volume("attic", "navidrome-config"), network];
    expect(claimsThatLeave(volumes, ["attic"])).toEqual(["media/jellyfin-config on nas"]);
    expect(claimsThatLeave(volumes, ["attic", "nas"])).toEqual([]);
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
            response.end(
                JSON.stringify(request.url === "/api/v1/persistentvolumes" ? { items: [volume("nas", "a")] } : {}),
            );
        },
    );
    await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
    const { port } = server.address() as AddressInfo;
    const [ca, own] = [cert.toString("base64"), key.toString("base64")];
    const kubeconfig = stringify({
        clusters: [{ cluster: { server: `https://127.0.0.1:${port}`, "certificate-authority-data": ca } }],
        users: [{ user: { "client-certificate-data": ca, "client-key-data": own } }],
    });

    expect(await findClaimsThatLeave(kubeconfig, ["attic"])).toEqual(["media/a on nas"]);

    await new Promise((closed) => {
        server.close(closed);
        server.closeAllConnections();
    });
    expect(await findClaimsThatLeave(kubeconfig, ["attic"])).toEqual([]);
    expect(await findClaimsThatLeave("", [])).toEqual([]);
});
