import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { findOnPath } from "../../lib/paths";
import { run } from "../../lib/run";
import { shellQuote } from "../../lib/shell";
import { edgeConfig, nodeConfig, tunnelInterface, wireGuardKeys } from "../../provision/wireguard";
import { aptGetInstall } from "../../toolchain/apt-get";
import { tool } from "../../toolchain/tools";
import { until } from "../sandbox/home";
import { Network } from "./machines/network";

// The host may be busy.
jest.setTimeout(180_000);

const edgeAddress = "203.0.113.10";
const nodeAddress = "10.77.0.11";
const tunnel = "10.199.99.1";
const clusterNetworks = "10.42.0.0/16 10.43.0.0/16";
/** Pods: one at home, one on the edge. */
const homePod = "10.42.0.5";
const edgePod = "10.42.1.5";

const folder = mkdtempSync(join(tmpdir(), "hearth-tunnel-"));
const children: ChildProcess[] = [];
let home: Network;
let internet: Network;
/** Paths of network namespaces. */
const hosts: Record<string, string> = {};

/** Runs a program in a host's network. */
const inside = (host: string, program: string, ...args: string[]) =>
    execFileSync("nsenter", [`--net=${hosts[host]}`, program, ...args], { encoding: "utf8", stdio: "pipe" });

const ip = (host: string, ...args: string[]) => inside(host, "ip", ...args);

/** The firewall of a host by provision/scripts/access.sh. */
function firewall(input: Readonly<Record<string, string>>): string {
    const script = readFileSync(resolve(__dirname, "../../provision/scripts/access.sh"), "utf8");
    const assignments = Object.entries(input).map(([name, value]) => `${name}=${shellQuote(value)}\n`);
    const text = [...assignments, script.replace(/^main "\$@".*$/m, "firewall_rules")].join("");
    return execFileSync("bash", ["-euc", text], { encoding: "utf8" });
}

/** Starts one end of the tunnel, like its host's systemd. Two ends on one machine have separate sockets. */
async function startEnd(host: string, config: string): Promise<void> {
    const file = join(folder, host, `${tunnelInterface}.conf`);
    mkdirSync(join(folder, host));
    writeFileSync(file, config, { mode: 0o600 });
    const script = `
        mkdir -p /run/wireguard && mount -t tmpfs tmpfs /run/wireguard
        wg-quick up ${file} && echo is-up
        cat >/dev/null
        wg-quick down ${file}`;
    const child = spawn("nsenter", [`--net=${hosts[host]}`, "unshare", "--mount", "bash", "-c", script], {
        env: { ...process.env, WG_QUICK_USERSPACE_IMPLEMENTATION: tool("wireguard-go") },
    });
    children.push(child);
    let said = "";
    await new Promise<void>((done, reject) => {
        for (const stream of [child.stdout, child.stderr]) {
            stream.on("data", (chunk: Buffer) => {
                said += chunk.toString();
                if (said.includes("is-up")) {
                    done();
                }
            });
        }
        child.once("close", () => reject(new Error(said)));
    });
}

/** Serves a page in a host's network, at each of these ports. */
function serve(host: string, ...ports: number[]): void {
    for (const port of ports) {
        const served = ["-m", "http.server", String(port), "--directory", folder];
        children.push(spawn("nsenter", [`--net=${hosts[host]}`, "python3", ...served], { stdio: "ignore" }));
    }
}

/** Body of a page requested from a host; undefined without an answer. */
async function page(from: string, at: string, limit = 5): Promise<string | undefined> {
    const curl = ["curl", "--silent", "--fail", "--max-time", String(limit), `http://${at}/page`];
    const { exitCode, output } = await run("nsenter", [`--net=${hosts[from]}`, ...curl]);
    return exitCode === 0 ? output : undefined;
}

/** A host's part of the pod network, like flannel's: VXLAN to the other host, and a pod. */
function addPods(
    host: string,
    here: { own: string; pod: string; local: string; dev: string; mtu: string },
    other: typeof here,
) {
    const hardware = (address: string) => `02:00:0a:2a:0${address.split(".")[2]}:00`;
    const gateway = here.pod.replace(/5$/, "1");
    const vxlan = ["type", "vxlan", "id", "1", "local", here.local, "dev", here.dev, "dstport", "8472", "nolearning"];
    ip(host, "link", "add", "flannel.1", "address", hardware(here.own), ...vxlan);
    ip(host, "address", "add", `${here.own}/32`, "dev", "flannel.1");
    ip(host, "link", "set", "flannel.1", "mtu", here.mtu, "up");
    ip(host, "route", "add", `${other.own}/24`, "via", other.own, "dev", "flannel.1", "onlink");
    ip(host, "neighbor", "replace", other.own, "lladdr", hardware(other.own), "dev", "flannel.1");
    inside(host, "bridge", "fdb", "append", hardware(other.own), "dev", "flannel.1", "dst", other.local);
    const pod = `${host}-pod`;
    const namespace = `${home.namespace}-${pod}`;
    execFileSync("ip", ["netns", "add", namespace]);
    hosts[pod] = `/run/netns/${namespace}`;
    ip(host, "link", "add", "cni0", "type", "veth", "peer", "name", "eth0", "netns", namespace);
    ip(host, "address", "add", `${gateway}/24`, "dev", "cni0");
    ip(host, "link", "set", "cni0", "up");
    ip(pod, "address", "add", `${here.pod}/24`, "dev", "eth0");
    ip(pod, "link", "set", "lo", "up");
    ip(pod, "link", "set", "eth0", "up");
    ip(pod, "route", "add", "default", "via", gateway);
}

beforeAll(async () => {
    if (!findOnPath("wg-quick") || !findOnPath("nft")) {
        const packages = ["wireguard-tools", "nftables"];
        await aptGetInstall("wg-quick or nft", `Install the packages ${packages.join(" and ")}.`, packages);
    }
    writeFileSync(join(folder, "page"), "the page at home");
    home = new Network();
    internet = new Network("203.0.113");
    home.route(internet, "203.0.113.50", "/");
    Object.assign(hosts, {
        router: `/run/netns/${home.namespace}`,
        internet: `/run/netns/${internet.namespace}`,
        node: home.attach("node", nodeAddress),
        edge: internet.attach("edge", edgeAddress),
    });
    const common = { port: "22", addresses: nodeAddress, cluster_networks: clusterNetworks, tunnel: tunnelInterface };
    const rules = {
        node: firewall({ ...common, address: nodeAddress }),
        edge: firewall({ ...common, edge: "yes", tunnel_port: "51822" }),
    };
    for (const [host, text] of Object.entries(rules)) {
        inside(host, "sysctl", "--quiet", "--write", "net.ipv4.ip_forward=1");
        writeFileSync(join(folder, `${host}.nft`), text);
        inside(host, "nft", "--file", join(folder, `${host}.nft`));
    }
    const [ofEdge, ofNode] = [wireGuardKeys("of the edge"), wireGuardKeys("of the node")];
    const edge = { address: edgeAddress, tunnel, tunnelPort: 51822, publicKey: ofEdge.publicKey };
    await startEnd("edge", edgeConfig(ofEdge, edge, [{ address: nodeAddress, publicKey: ofNode.publicKey }]));
    await startEnd("node", nodeConfig(ofNode, { address: nodeAddress }, edge));
    const ofNodes = { own: "10.42.0.0", pod: homePod, local: nodeAddress, dev: "eth0", mtu: "1450" };
    const ofEdges = { own: "10.42.1.0", pod: edgePod, local: tunnel, dev: tunnelInterface, mtu: "1370" };
    addPods("node", ofNodes, ofEdges);
    addPods("edge", ofEdges, ofNodes);
    serve("node-pod", 8096);
    serve("node", 22, 80, 6443, 10250);
    serve("router", 13_002);
    serve("edge", 9100);
    serve("edge-pod", 9081);
    const routes = {
        http: {
            routers: { page: { rule: "PathPrefix(`/`)", service: "page" } },
            services: { page: { loadBalancer: { servers: [{ url: `http://${homePod}:8096` }] } } },
        },
    };
    writeFileSync(join(folder, "routes.yaml"), JSON.stringify(routes));
    const traefik = ["--entrypoints.web.address=:9080", `--providers.file.filename=${join(folder, "routes.yaml")}`];
    const enter = [`--net=${hosts["edge-pod"]}`, tool("traefik"), ...traefik];
    children.push(spawn("nsenter", enter, { stdio: "ignore", cwd: folder }));
    // Like containerd's portmap for a hostPort.
    const portmap = `table ip portmap {
        chain prerouting {
            type nat hook prerouting priority dstnat;
            iifname "eth0" tcp dport 80 dnat to ${edgePod}:9080
        }
    }`;
    writeFileSync(join(folder, "portmap.nft"), portmap);
    inside("edge", "nft", "--file", join(folder, "portmap.nft"));
});

afterAll(async () => {
    await Promise.all(
        children.map((child) => {
            const ended = new Promise((done) => child.once("close", done));
            // An end of the tunnel goes down; a server has nothing to read.
            child.stdin?.end();
            if (child.stdin === null) {
                child.kill();
            }
            return child.exitCode === null ? ended : undefined;
        }),
    );
    for (const pod of ["node-pod", "edge-pod"]) {
        await run("ip", ["netns", "delete", `${home.namespace}-${pod}`]);
    }
    home.remove();
    internet.remove();
    rmSync(folder, { recursive: true });
});

test("the home's router admits nothing, and the edge still gets a page of a pod at home", async () => {
    await until(
        "a pod on the edge reaches one at home",
        60_000,
        async () => (await page("edge-pod", `${homePod}:8096`)) !== undefined,
    );

    expect(await page("edge-pod", `${homePod}:8096`)).toBe("the page at home");
    for (const port of [22, 80, 6443]) {
        expect([port, await page("internet", `203.0.113.50:${port}`, 2)]).toEqual([port, undefined]);
    }
});

test("a client on the Internet gets the page from the edge's Traefik, and reaches no other port of the edge", async () => {
    await until("Traefik serves", 60_000, async () => (await page("internet", edgeAddress)) === "the page at home");
    expect(await page("internet", `${edgeAddress}:9100`, 2)).toBeUndefined();
});

test("more than one packet's size passes, in both directions", async () => {
    writeFileSync(join(folder, "page"), "x".repeat(3_000_000));
    expect((await page("edge-pod", `${homePod}:8096`, 30))?.length).toBe(3_000_000);
    expect((await page("node-pod", `${edgePod}:9081`, 30))?.length).toBe(3_000_000);
    writeFileSync(join(folder, "page"), "the page at home");
});

test("Prometheus at home reaches the edge's host, which knows its pods by their node's address", async () => {
    expect(await page("node-pod", `${tunnel}:9100`)).toBe("the page at home");
});

test("an intruder on the edge reaches the API server's port, no other port of a node, and nothing behind it", async () => {
    expect(await page("edge", `${nodeAddress}:6443`)).toBe("the page at home");
    for (const port of [22, 80, 10250]) {
        expect([port, await page("edge", `${nodeAddress}:${port}`, 2)]).toEqual([port, undefined]);
        // The same node by its address in the pod network, with a pod's address as the source.
        expect([port, await page("edge-pod", `10.42.0.1:${port}`, 2)]).toEqual([port, undefined]);
    }
    // Root on the edge can send any packet into either tunnel.
    ip("edge", "route", "add", "10.77.0.1/32", "via", "10.42.0.0", "dev", "flannel.1", "onlink");
    expect(await page("edge-pod", "10.77.0.1:13002", 2)).toBeUndefined();
    ip("edge", "route", "replace", "10.77.0.1/32", "dev", tunnelInterface);
    expect(await page("edge", "10.77.0.1:13002", 2)).toBeUndefined();
});

test("the router may get another address from its provider: the edge learns it from the node's next packet", async () => {
    ip("router", "address", "delete", "203.0.113.50/24", "dev", "wan");
    ip("router", "address", "add", "203.0.113.77/24", "dev", "wan");
    await until(
        "the page is served again",
        90_000,
        async () => (await page("internet", edgeAddress, 3)) === "the page at home",
    );
});
