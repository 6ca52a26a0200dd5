import { type Outcome, run } from "../../lib/run";
import { until } from "../sandbox/home";
import { type LiveNode, MachineHome, type NodeConfig, packages, versions } from "./home";

// Milliseconds for a run over all machines on a busy host.
jest.setTimeout(300_000);

let home: MachineHome;

beforeAll(async () => {
    home = await MachineHome.create("s1", "a1", "a2");
    // One of them comes from an image with cloud-init.
    await home.machine("a1").run("mkdir -p /etc/cloud/cloud.cfg.d");
    home.machine("a1").write("/etc/cloud/templates/hosts.debian.tmpl", "127.0.1.1 {{fqdn}} {{hostname}}\n");
    // Raspberry Pi OS has this one, which reads /etc/rpi/swap.conf.d and makes units for swap.
    home.machine("a1").write("/usr/lib/systemd/system-generators/rpi-swap-generator", "#!/bin/sh\n", 0o755);
});

afterAll(async () => {
    await home?.remove();
});

/** Output of `pulumi up`, which must succeed. */
async function up(): Promise<string> {
    const { exitCode, output } = await home.stack.up();
    if (exitCode !== 0) {
        throw new Error(output);
    }
    return output;
}

const fingerprints = () => Promise.all(home.machines.map((machine) => machine.fingerprint()));

const isReady = (node: LiveNode | undefined) =>
    node?.status.conditions.some(({ type, status }) => type === "Ready" && status === "True") ?? false;

/** The config of all nodes, with a change for one of them. */
const nodesWith = (name: string, change: Partial<NodeConfig>): NodeConfig[] =>
    home.nodes().map((node) => (node.name === name ? { ...node, ...change } : node));

/** Reports whether a host has sshd's new configuration, and admits only what the firewall allows. */
async function isHardened(name: string): Promise<{ sshd: boolean; firewall: boolean }> {
    const machine = home.machine(name);
    return {
        sshd: machine.has("/etc/ssh/sshd_config.d/00-hearth.conf"),
        firewall: (await machine.run("nft list table inet hearth")).exitCode === 0,
    };
}

/** Messages, without Pulumi's decoration. */
const messages = ({ output }: Outcome) => output.replace(/\s+/g, " ");

describe("hosts that cannot become the cluster", () => {
    test("are all reported at once, in a table, and none is changed", async () => {
        const [server, agent] = [home.machine("s1"), home.machine("a2")];
        await server.run("mkdir -p /etc/rancher/k3s && echo 'token: other' > /etc/rancher/k3s/config.yaml");
        await agent.run("mv /etc/sudoers.d/admin /root/admin");
        const before = await fingerprints();
        home.configure(nodesWith("a1", { hostKey: server.hostKey }));

        const outcome = await home.stack.up();

        expect(outcome.exitCode).not.toBe(0);
        expect(messages(outcome)).toMatch(
            /The nodes are not ready, and none was changed: NODE FOUND WHAT TO DO .*s1 fatal this host runs k3s of another cluster .* hack\/recover/,
        );
        expect(messages(outcome)).toMatch(
            /a1 fatal another host key than the config has .*hack\/host-keys prints its keys/,
        );
        expect(messages(outcome)).toMatch(/a2 fatal sudo requires a password, or is not installed .*NOPASSWD/);
        expect(await fingerprints()).toEqual(before);

        await server.run("rm -r /etc/rancher");
        await agent.run("mv /root/admin /etc/sudoers.d/admin");
    });

    test("are reported for problems of the hosts themselves", async () => {
        const [server, agent, other] = [home.machine("s1"), home.machine("a1"), home.machine("a2")];
        const shadow = (program: string, text: string) =>
            `printf '#!/bin/sh\\n%s\\n' '${text}' > /usr/local/bin/${program}; chmod +x /usr/local/bin/${program}; `;
        await server.run(
            "cp --dereference /etc/os-release /root/; sed -i s/^VERSION_ID=.*/VERSION_ID=11/ /etc/os-release",
        );
        await server.run("systemd-run --unit=listener python3 -m http.server 6443");
        await agent.run(shadow("uname", "echo armv7l") + shadow("date", "exec /usr/bin/date -d +1hour +%s"));
        await other.run(shadow("getconf", "echo 256"));
        await other.run("ip address change 10.77.0.13/24 dev eth0 valid_lft 3600 preferred_lft 3600");
        await other.run(
            "echo cpu io pids > /root/controllers; mount --bind /root/controllers /sys/fs/cgroup/cgroup.controllers",
        );
        // Firewalls that would block the cluster, or delete its rules; the machines have none of these packages.
        await server.run(shadow("ufw", "echo Status: active"));
        await agent.run("systemd-run --unit=firewalld sleep infinity; systemd-run --unit=docker sleep infinity");
        await other.run(
            "printf '#!/usr/sbin/nft -f\\nflush ruleset\\n' > /etc/nftables.conf; systemctl enable nftables",
        );
        const before = await fingerprints();
        home.configure();

        const outcome = await home.stack.up();
        const after = await fingerprints();
        await server.run("systemctl stop listener; mv /root/os-release /etc/os-release; rm /usr/local/bin/ufw");
        await agent.run("rm /usr/local/bin/uname /usr/local/bin/date; systemctl stop firewalld docker");
        await other.run("systemctl disable nftables; rm /usr/local/bin/getconf");
        await other.run("umount /sys/fs/cgroup/cgroup.controllers; rm /root/controllers");
        await other.run("ip address change 10.77.0.13/24 dev eth0 valid_lft forever preferred_lft forever");

        expect(outcome.exitCode).not.toBe(0);
        for (const finding of [
            "s1 fatal debian 11 install Debian 12 or newer",
            "s1 fatal ports in use: 6443 k3s needs them: stop the programs that listen there",
            "a1 fatal architecture armv7l use a host with x86_64 or aarch64",
            "a1 fatal clock is 3600 s off set it (timedatectl set-ntp true)",
            "s1 fatal ufw is active, and blocks pods and Services run ufw disable",
            "a1 fatal firewalld is active, and blocks pods and Services run systemctl disable --now firewalld",
            "a1 warning Docker is installed, and drops packets that are forwarded to pods",
            "a2 fatal nftables.service is enabled, and its /etc/nftables.conf flushes the rules of k3s and hearth",
            "a2 fatal cgroup v2 without the memory controller, which k3s needs add cgroup_enable=memory",
            "a2 fatal 0 MiB of memory, and k3s requires 512 for its role, agent",
            "a2 warning 10.77.0.13 is leased (DHCP) reserve this address for the host",
        ]) {
            expect(messages(outcome).replace(/(clock is 3)\d{3}/, "$1600")).toContain(finding);
        }
        expect(after).toEqual(before);
    });

    test("are not inspected when two of them are servers: etcd needs a majority", async () => {
        const before = await fingerprints();
        home.configure(nodesWith("a1", { role: "server" }));
        const outcome = await home.stack.up();
        expect(outcome.exitCode).not.toBe(0);
        expect(messages(outcome)).toMatch(/an odd number of servers, not 2: .*make one an agent/);
        expect(await fingerprints()).toEqual(before);
    });

    test("are not changed when their existing k3s is not the pinned one", async () => {
        const before = await fingerprints();
        home.configure(undefined, versions[0], { release: { version: versions[0], sha256: "0".repeat(64) } });

        const outcome = await home.stack.up();

        expect(outcome.exitCode).not.toBe(0);
        expect(messages(outcome)).toMatch(
            /invalid \/opt\/k3s\/v1\.35\.0\+k3s1\/k3s: got the SHA-256 [0-9a-f]{64}, expected 0{64} \(provision\/k3s-release\.ts\)\. Nothing was installed\. Download/,
        );
        expect(await fingerprints()).toEqual(before);
    });

    test("are reported when one of them is offline", async () => {
        home.configure();
        home.network.cable("a1", "down");
        const outcome = await home.stack.up();
        home.network.cable("a1", "up");

        expect(outcome.exitCode).not.toBe(0);
        expect(messages(outcome)).toMatch(/a1 fatal not reachable: .* check whether it is on/);
    });
});

describe("a host with an sshd configuration that is not Debian's", () => {
    test("is reported, and its sshd and firewall are unchanged", async () => {
        await home.machine("s1").run("echo Nonsense yes > /etc/ssh/sshd_config.d/99-broken.conf");
        await home.machine("a1").run("sed -i.before /^Include/d /etc/ssh/sshd_config");
        home.configure(home.nodes().filter(({ name }) => name !== "a2"));

        const outcome = await home.stack.up();

        expect(outcome.exitCode).not.toBe(0);
        expect(messages(outcome)).toMatch(/\[s1\] sshd rejects its new configuration, which was reverted/);
        expect(messages(outcome)).toMatch(
            /\[a1\] sshd would still accept passwords, .* the first line of .*: "Include/,
        );
        for (const name of ["s1", "a1"]) {
            expect([name, await isHardened(name)]).toEqual([name, { sshd: false, firewall: false }]);
        }
        await home.machine("s1").run("rm /etc/ssh/sshd_config.d/99-broken.conf");
        await home.machine("a1").run("mv /etc/ssh/sshd_config.before /etc/ssh/sshd_config");
    });
});

describe("a host that locks out all users", () => {
    const dropIn = "/etc/systemd/system/ssh.service.d/lock-out.conf";

    /** Output of a command that must succeed. */
    async function output(command: string): Promise<string> {
        const { exitCode, output } = await home.machine("a2").run(command);
        expect({ exitCode, output: `${command}\n${output}` }).toHaveEndedWith(0);
        return output;
    }

    // With the new configuration of sshd active, replies do not arrive: no session can confirm it.
    beforeAll(() =>
        output(
            `mkdir -p $(dirname ${dropIn}) && printf '%s\\n' '[Service]' ` +
                `'ExecReload=ip route add blackhole ${home.network.address}' > ${dropIn} && systemctl daemon-reload`,
        ),
    );

    afterAll(() =>
        output(`rm ${dropIn} && systemctl daemon-reload && ip route delete blackhole ${home.network.address}`),
    );

    beforeEach(async () => {
        home.configure();
        const run = home.stack.start();
        await until("a2 has cut itself off", 120_000, async () => {
            const { output: routes } = await home.machine("a2").run("ip route show type blackhole");
            return routes.includes(home.network.address);
        });
        run.kill();
        await run.outcome;
        await home.stack.pulumi("cancel", "--yes");
        expect(await isHardened("a2")).toEqual({ sshd: true, firewall: true });
    });

    test("starts without the firewall", async () => {
        await home.machine("a2").powerOff();
        await home.machine("a2").start();
        expect(await isHardened("a2")).toMatchObject({ firewall: false });
    });

    test("reverts to its previous state two minutes later", async () => {
        expect(await output("systemctl show --property=TimersMonotonic hearth-access-revert.timer")).toContain(
            "OnActiveUSec=2min",
        );
        // The timer's command, without the two minutes.
        await output("systemctl start hearth-access-revert.service");
        await until("both are as before", 30_000, async () => {
            const { sshd, firewall } = await isHardened("a2");
            return !sshd && !firewall;
        });
    });
});

describe("hosts with Debian", () => {
    let secrets: string[];

    test("become a cluster whose nodes are all Ready, with their labels and taints", async () => {
        home.configure(
            nodesWith("a1", {
                labels: { room: "attic", "hearth/disk": "ssd" },
                taints: ["gpu=true:NoSchedule", "gpu:NoExecute"],
            }),
        );
        const output = await up();

        const live = await home.liveNodes();
        expect([...live.keys()].sort()).toEqual(["a1", "a2", "s1"]);
        expect([...live.values()].map(isReady)).toEqual([true, true, true]);
        expect(live.get("a1")?.metadata.labels).toMatchObject({ room: "attic", "hearth/disk": "ssd" });
        expect(live.get("a1")?.spec.taints).toMatchObject([
            { key: "gpu", effect: "NoExecute" },
            { key: "gpu", effect: "NoSchedule" },
        ]);
        expect(output).toContain("[s1] changed: k3s.service runs k3s v1.35.0+k3s1");

        // A snapshot is useless without the token of its time.
        const server = "/var/lib/rancher/k3s/server";
        const [kept, inForce] = [`${server}/db/snapshots/server-token`, `${server}/token`].map((file) =>
            home.machine("s1").read(file),
        );
        expect(kept === inForce).toBe(true);
        // Neither swap nor cloud-init returns after a restart.
        expect((await home.machine("a1").run("systemctl is-enabled swap.target")).output).toContain("masked");
        expect(home.machine("a1").read("/etc/rpi/swap.conf.d/90-hearth.conf")).toBe("[Main]\nMechanism=none\n");
        expect(home.machine("a2").has("/etc/rpi")).toBe(false);
        expect(home.machine("a1").read("/etc/cloud/cloud.cfg.d/99-hearth.cfg")).toContain("preserve_hostname: true");
        for (const file of ["/etc/hosts", "/etc/cloud/templates/hosts.debian.tmpl"]) {
            expect(home.machine("a1").read(file)).toMatch(/^127\.0\.1\.1 [\s\S]*\n10\.77\.0\.13 a2\n/m);
        }

        const kubeconfig = await home.stack.output("kubeconfig");
        const key = /client-key-data: (\S+)/.exec(kubeconfig)?.[1] ?? "";
        const tokens = ["token", "agent-token"].map(
            (name) => home.machine("s1").read(`/var/lib/rancher/k3s/server/${name}`).trim().split("::").pop() ?? "",
        );
        secrets = [key, ...tokens.map((token) => token.replace(/^\w+:/, ""))];
        expect(secrets.map(({ length }) => length >= 48)).toEqual([true, true, true]);
        // Booleans: a failure must not print what it has found.
        expect(secrets.map((secret) => output.includes(secret))).toEqual([false, false, false]);
    });

    test("admit holders of the key, and expose to other hosts only the home's services", async () => {
        const { address } = home.machine("s1");
        const withoutKey = [
            "-o",
            "PubkeyAuthentication=no",
            "-o",
            "StrictHostKeyChecking=no",
            "-o",
            "UserKnownHostsFile=/dev/null",
        ];
        const ssh = await run(...home.network.command("ssh", ...withoutKey, "-o", "BatchMode=yes", address));
        expect(ssh.output).toContain("Permission denied (publickey).");

        await home.machine("s1").run("systemd-run --unit=listener python3 -m http.server 9999");
        const curl = ["--silent", "--max-time", "3", `http://${address}:9999/`];
        expect((await home.machine("a1").run(`curl --retry 9 --retry-connrefused ${curl.join(" ")}`)).exitCode).toBe(0);
        const timedOut = 28;
        expect((await run(...home.network.command("curl", ...curl))).exitCode).toBe(timedOut);
        await home.machine("s1").run("systemctl stop listener");
    });

    test("are left unchanged by a second run, which reports it", async () => {
        const before = await fingerprints();
        expect(await up()).not.toMatch(/\[(s1|a1|a2)\]/);

        // Without the state, every script inspects its host again.
        await home.stack.forgetScripts();
        const output = await up();
        expect(output.match(/changed: .*/g) ?? []).toEqual([]);
        expect(new Set(output.match(/\[\w+\] unchanged/g))).toEqual(
            new Set(["[s1] unchanged", "[a1] unchanged", "[a2] unchanged"]),
        );
        expect(await fingerprints()).toEqual(before);
    });

    test("get and lose labels and taints by the config", async () => {
        home.configure(nodesWith("a1", { labels: { room: "cellar" }, taints: ["gpu:NoExecute"] }));
        const output = await up();
        const { metadata, spec } = (await home.liveNodes()).get("a1") ?? {};
        expect(metadata?.labels).toMatchObject({ room: "cellar" });
        expect(metadata?.labels).not.toHaveProperty("hearth/disk");
        expect(spec?.taints).toMatchObject([{ key: "gpu", effect: "NoExecute" }]);
        // That does not require a drain.
        expect(output).not.toContain("cordoned");
    });

    test("keep their roles, and skip no release of k3s", async () => {
        const swapped = nodesWith("a1", { role: "server" }).map((node) =>
            node.name === "s1" ? { ...node, role: "agent" as const } : node,
        );
        const before = await fingerprints();
        home.configure(swapped, versions[0], { release: { version: "v1.37.0+k3s1", sha256: "0".repeat(64) } });
        const newer = await home.stack.up();
        home.configure(undefined, versions[0], { release: { version: "v1.34.9+k3s1", sha256: "0".repeat(64) } });
        const older = await home.stack.up();

        expect([newer.exitCode, older.exitCode]).not.toContain(0);
        expect(messages(newer)).toMatch(
            /a1 fatal the node has another role than server, and a role cannot change in place remove it/,
        );
        expect(messages(newer)).toMatch(/s1 fatal the node has another role than agent, .*/);
        expect(messages(newer)).toMatch(/a2 fatal it runs k3s v1\.35, and v1\.37\.0\+k3s1 skips a minor release/);
        expect(messages(older)).toMatch(
            /a2 fatal it runs k3s v1\.35, and Kubernetes cannot be downgraded by a minor release/,
        );
        expect(await fingerprints()).toEqual(before);
    });

    test("keep their names: two that are swapped are both reported, and none is changed", async () => {
        const names = new Map([
            ["a1", "a2"],
            ["a2", "a1"],
        ]);
        const before = await fingerprints();
        home.configure(home.nodes().map((node) => ({ ...node, name: names.get(node.name) ?? node.name })));
        const outcome = await home.stack.up();
        home.configure();

        expect(outcome.exitCode).not.toBe(0);
        expect(messages(outcome)).toMatch(/a1 fatal this host is the node a2 name it a2 in hearth:nodes/);
        expect(messages(outcome)).toMatch(/a2 fatal this host is the node a1 name it a1 in hearth:nodes/);
        expect(await fingerprints()).toEqual(before);

        // One of them renamed, and both with the other's address, in one change.
        const [, a1, a2] = home.nodes();
        home.configure(
            home.nodes().flatMap((node) => {
                const other = { a1: a2, a2: a1 }[node.name];
                return other === undefined ? [node] : [{ ...other, name: node.name === "a1" ? "attic" : node.name }];
            }),
        );
        const renamed = await home.stack.up();
        home.configure();
        expect(renamed.exitCode).not.toBe(0);
        expect(messages(renamed)).toMatch(/attic fatal this host is the node a2 name it a2 in hearth:nodes/);
        expect(messages(renamed)).toMatch(/a2 fatal this host is the node a1 name it a1 in hearth:nodes/);
        expect(await fingerprints()).toEqual(before);
    });

    test("are upgraded to another k3s one at a time, servers first, as preview lists them", async () => {
        home.configure(undefined, versions[1]);
        const { output: preview } = await home.stack.pulumi("preview");
        for (const name of ["s1", "a1", "a2"]) {
            expect(preview).toContain(`${name}-k3s-converge`);
            expect(preview).not.toContain(`${name}-baseline`);
        }
        const output = await up();

        const live = await home.liveNodes();
        expect([...live.values()].map(({ status }) => status.nodeInfo.kubeletVersion)).toEqual([
            versions[1],
            versions[1],
            versions[1],
        ]);
        expect([...live.values()].map(({ spec }) => spec.unschedulable ?? false)).toEqual([false, false, false]);
        expect(home.machine("a1").has(`/usr/local/lib/hearth/k3s/${versions[0]}`)).toBe(false);
        const turns = output
            .match(/\[\w+\] (node\/\w+ (cordoned|uncordoned))/g)
            ?.filter((line, i, all) => all.indexOf(line) === i);
        expect(turns).toEqual(
            ["s1", "a1", "a2"].flatMap((name) => [
                `[${name}] node/${name} cordoned`,
                `[${name}] node/${name} uncordoned`,
            ]),
        );
    });

    test("do not expose the tokens in process lists, or in Pulumi's output", async () => {
        for (const machine of home.machines) {
            const { output } = await machine.run(
                "cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ | tr '\\0' '\\n'; journalctl",
            );
            expect(secrets.map((secret) => output.includes(secret))).toEqual([false, false, false]);
        }
        const { output: state } = await home.stack.pulumi("stack", "export");
        expect(secrets.map((secret) => state.includes(secret))).toEqual([false, false, false]);
    });

    test("leave the cluster when they leave the config, without a trace of k3s", async () => {
        const machine = home.machine("a2");
        await machine.run("systemd-run --slice=kubepods-besteffort.slice --unit=container sleep infinity");
        await machine.run("iptables --new-chain KUBE-SERVICES; iptables --new-chain OF-THE-HOME");
        // A mount that is in use, like an export whose server does not answer.
        const share = "/var/lib/kubelet/pods/media/volumes/share";
        await machine.run(
            `mkdir -p /srv/films ${share}; echo film > /srv/films/film; mount --bind /srv/films ${share}; ` +
                `systemd-run --unit=player --working-directory=${share} sleep infinity`,
        );
        home.configure(
            home.nodes().filter(({ name }) => name !== "a2"),
            versions[1],
        );
        const inUse = await home.stack.up();
        const kept = machine.has("/etc/rancher/k3s/config.yaml");
        await machine.run("systemctl stop player");
        await up();
        expect(inUse.exitCode).not.toBe(0);
        expect(messages(inUse)).toMatch(
            /nothing was deleted on a2, because these mounts are in use: .*\/kubelet\/pods\/media\/volumes\/share/,
        );
        expect(kept).toBe(true);
        expect(machine.read("/srv/films/film")).toBe("film\n");
        expect([...(await home.liveNodes()).keys()].sort()).toEqual(["a1", "s1"]);
        expect((await machine.run("systemctl is-active container")).output).not.toMatch(/^active/);
        const rules = (await machine.run("iptables-save")).output;
        expect(rules).toContain("OF-THE-HOME");
        expect(rules).not.toContain("KUBE-");
        for (const path of ["/etc/rancher/k3s", "/var/lib/rancher/k3s", "/usr/local/bin/k3s"]) {
            expect([path, machine.has(path)]).toEqual([path, false]);
        }
    });

    test("rejoin once they are in the config again, with a k3s from a mirror", async () => {
        await home
            .machine("a2")
            .run(`dpkg --remove --force-depends curl && cp ${packages}/*curl* /var/cache/apt/archives/`);
        const mirror = home.mirror(8000);
        home.configure(undefined, versions[1], { source: mirror.url });
        const output = await up().finally(() => mirror.close());
        expect(output).toMatch(/\[a2\] changed: packages: curl[\s\S]*\[a2\] changed: k3s v1\.36\.0\+k3s1/);
        expect([...(await home.liveNodes()).values()].map(isReady)).toEqual([true, true, true]);
    });

    test("are restored to their original state when the stack is destroyed", async () => {
        const { exitCode, output } = await home.stack.pulumi("destroy", "--yes", "--skip-preview");
        expect({ exitCode, output }).toHaveEndedWith(0);
        for (const machine of home.machines) {
            const found = ["/etc/rancher/k3s", "/var/lib/rancher/k3s", "/usr/local/bin/k3s"].filter((path) =>
                machine.has(path),
            );
            expect([machine.name, found]).toEqual([machine.name, []]);
        }
    });
});
