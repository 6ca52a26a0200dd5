import { generateKeyPairSync } from "node:crypto";
import { readFileSync } from "node:fs";
import * as pulumi from "@pulumi/pulumi";
import type { RegisterResourceRequest } from "@pulumi/pulumi/proto/resource_pb";
import { parse } from "yaml";

/** A component at the top of the program, with its children. */
export interface Part {
    readonly name: string;
    /** Type of the component: "hearth:components:Tier". */
    readonly type: string;
    /** Its children, by name. */
    readonly children: readonly { readonly name: string; readonly type: string }[];
    /** Names of the parts that must be complete before it starts, without indirect ones. */
    readonly after: readonly string[];
}

interface Registration {
    readonly urn: string;
    readonly name: string;
    readonly type: string;
    readonly parent: string;
    readonly dependencies: readonly string[];
}

type Callback = (error: Error | null, response: { getUrn(): string }) => void;

interface Monitor {
    registerResource(request: RegisterResourceRequest, callback: Callback): unknown;
}

/** A key without any use. */
const { privateKey } = generateKeyPairSync("ed25519", {
    privateKeyEncoding: { type: "pkcs8", format: "pem" },
    publicKeyEncoding: { type: "spki", format: "pem" },
});
const hostKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGyONEg7JK2tiSg9YhWTxDk0Vf8SQPUTM2lnNMlAvRK/";

/** A host for the cluster, instead of the example's kubeconfig. Nothing is changed on it. */
const machines = {
    "hearth:ssh": { privateKey },
    "hearth:nodes": [{ name: "node-1", address: "192.168.1.11", user: "root", hostKey, role: "server" }],
};

/** Runs index.ts on Pulumi's mocks, from bare hosts, and records the registered resources. */
async function registrations(): Promise<Registration[]> {
    const { config } = parse(readFileSync("Pulumi.home.yaml", "utf8"));
    const plain = JSON.parse(JSON.stringify(config, (_, value) => (value?.secure ? "secret" : value)));
    const { "hearth:kubeconfig": _, ...others } = plain;
    const texts = Object.entries({ ...others, ...machines }).map(([key, value]) => [
        key,
        typeof value === "string" ? value : JSON.stringify(value),
    ]);
    pulumi.runtime.setAllConfig(Object.fromEntries(texts), ["hearth:secrets", "hearth:ssh"]);
    await pulumi.runtime.setMocks(
        { newResource: ({ name, inputs }) => ({ id: name, state: inputs }), call: () => ({}) },
        "hearth",
        "home",
        true,
    );
    const found: Registration[] = [];
    const monitor = pulumi.runtime.getMonitor() as unknown as Monitor;
    const register = monitor.registerResource.bind(monitor);
    monitor.registerResource = (request, callback) =>
        register(request, (error, response) => {
            found.push({
                urn: response.getUrn(),
                name: request.getName(),
                type: request.getType(),
                parent: request.getParent(),
                dependencies: request.getDependenciesList(),
            });
            callback(error, response);
        });
    await import("../../index.js");
    await pulumi.runtime.disconnect();
    return found;
}

/** The graph of the program's parts, as Pulumi sees it. The working directory is the checkout. */
export async function programGraph(): Promise<Part[]> {
    const all = await registrations();
    const byUrn = new Map(all.map((each) => [each.urn, each]));
    const top = (each: Registration): Registration => {
        const parent = byUrn.get(each.parent);
        return parent?.type.startsWith("hearth:") ? top(parent) : each;
    };
    const parts = all.filter((each) => each.type.startsWith("hearth:") && top(each) === each);
    const waits = new Map(
        parts.map((part) => {
            const within = all.filter((each) => top(each) === part);
            const others = within
                .flatMap(({ dependencies }) => dependencies)
                .flatMap((urn) => byUrn.get(urn) ?? [])
                .map(top)
                .filter((other) => other !== part && parts.includes(other));
            return [part.name, new Set(others.map(({ name }) => name))];
        }),
    );
    const reaches = (from: string, to: string): boolean =>
        [...(waits.get(from) ?? [])].some((next) => next === to || reaches(next, to));
    const inOrder = parts.toSorted((a, b) => a.name.localeCompare(b.name, "en"));
    return inOrder.map((part) => {
        const direct = [...(waits.get(part.name) ?? [])].sort();
        return {
            name: part.name,
            type: part.type,
            children: all
                .filter(({ parent }) => parent === part.urn)
                .map(({ name, type }) => ({ name, type }))
                .sort((a, b) => a.name.localeCompare(b.name, "en")),
            after: direct.filter((name) => !direct.some((other) => other !== name && reaches(other, name))),
        };
    });
}
