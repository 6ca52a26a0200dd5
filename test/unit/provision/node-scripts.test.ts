import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";

const scripts = resolve(__dirname, "../../../provision/scripts");

let folder: string;

beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "hearth-scripts-"));
});

afterEach(() => {
    rmSync(folder, { recursive: true });
});

/** Writes a file below the test's folder, which stands for the root of a host. */
function write(path: string, text: string): void {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
}

/** Runs functions of scripts on the folder's files, without their main. */
function run(files: readonly string[], variables: Readonly<Record<string, string>>, body: string) {
    const texts = files.map((file) =>
        readFileSync(join(scripts, `${file}.sh`), "utf8").replace(/\nmain "\$@".*\n$/, "\n"),
    );
    const library = readFileSync(join(scripts, "lib.sh"), "utf8");
    const [first, ...rest] = texts.map((text) =>
        text.replaceAll(/(?<![\w"$}])\/(etc|boot|var\/lib|run\/systemd|usr\/local\/lib)\//g, `${folder}/$1/`),
    );
    const input = [
        "node=a1\n",
        ...Object.entries(variables).map(([name, value]) => `${name}='${value}'\n`),
        library,
        ...[first ?? "", ...rest],
        `\n${body}\n`,
    ].join("");
    return spawnSync("bash", ["-s", "look"], { input, encoding: "utf8" });
}

describe("a host proves that it is a node", () => {
    const machine = "0123456789abcdef0123456789abcdef";
    const prove = (variables: object = {}) =>
        run(["identity"], { ...{ cluster: "c1", machine }, ...variables }, 'prove "nothing is deleted"; result proved');

    beforeEach(() => write("etc/machine-id", `${machine}\n`));

    test("by the marker with the cluster's id, its name and its machine id", () => {
        write("etc/rancher/hearth-cluster", `c1\na1\n${machine}\n`);
        expect(prove()).toMatchObject({ stdout: "proved", status: 0 });
    });

    test("by a marker of an older version, and the name in k3s' own configuration", () => {
        write("etc/rancher/hearth-cluster", "c1\n");
        write("etc/rancher/k3s/config.yaml", "node-name: a1\n");
        expect(prove()).toMatchObject({ stdout: "proved", status: 0 });
    });

    test.each([
        ["it has another name", `c1\nbox\n${machine}\n`, {}],
        ["it is in another cluster", `c2\na1\n${machine}\n`, {}],
        ["its disk is a copy", `c1\na1\n${"f".repeat(32)}\n`, {}],
        ["another machine was provisioned", `c1\na1\n${machine}\n`, { machine: "f".repeat(32) }],
        ["it has no mark", "", {}],
    ])("and cannot when %s", (_, mark, variables) => {
        write("etc/rancher/hearth-cluster", mark);
        const { stdout, stderr, status } = prove(variables);
        expect({ stdout, status }).toEqual({ stdout: "", status: 1 });
        expect(stderr).toContain("nothing is deleted: this host cannot prove that it is the node a1");
        expect(stderr).toContain("hack/forget-node a1");
    });
});

/** Input of k3s.sh. */
const k3s = {
    ...{ step: "join", cluster: "c1", machine: "", version: "v1", role: "agent", address: "10.0.0.1", config: "x" },
    ...{ audit_policy: "x", pod_security: "x", registration: "", registries: "", registry_authorities: "" },
    ...{ images: "", source: "/opt", discard: "" },
};

describe("claims on a node's disk", () => {
    const volume = "var/lib/rancher/k3s/storage/pvc-1-2_media_jellyfin-config";
    const check = (discard: string, before = "") =>
        run(["claims"], { discard }, `${before}\ncheck_claims "a1 was not changed"; result left`);
    /** Time in seconds before now, as Kubernetes writes it. */
    const ago = (seconds: number) => new Date(Date.now() - seconds * 1_000).toISOString().replace(/\.\d+Z/, "Z");
    /** Answers of the API about claims and the pods that copied them. */
    const api = (copies: string) => `
        with_cluster() {
            case $2 in
                persistentvolumeclaims) echo "media jellyfin-config pvc-1-2" ;;
                pods) cat <<<"${copies}" ;;
            esac
        }
        note_copies`;

    test("with data keep their node, and are listed", () => {
        write(`${volume}/library.db`, "films");
        write("var/lib/rancher/k3s/storage/pvc-3-4_gitops_gitea/repository", "commits");
        mkdirSync(join(folder, "var/lib/rancher/k3s/storage/pvc-5-6_media_empty/lost+found"), { recursive: true });
        const { stdout, stderr, status } = check("gitops/gitea");
        expect({ stdout, status }).toEqual({ stdout: "", status: 1 });
        expect(stderr).toContain("[a1]   - media/jellyfin-config (no copy of it was made on this node)\n");
        expect(stderr).not.toContain("- gitops/gitea");
        expect(stderr).not.toContain("media/empty");
        expect(stderr).toContain("hearth:discard");
    });

    test("that are discarded, or empty, do not", () => {
        write(`${volume}/library.db`, "films");
        expect(check("media/jellyfin-config\nmedia/other").stdout).toBe("left");
    });

    test("whose data is in their last copy do not, even once the API no longer knows of it", () => {
        write(`${volume}/library.db`, "films");
        const copies = `media jellyfin-config ${ago(-2)}\nmedia jellyfin-config ${ago(3_600)}\nmedia other ${ago(-2)}`;
        expect(check("", api(copies)).stdout).toBe("left");
        expect(check("").stdout).toBe("left");
        expect(check("", api("")).stdout).toBe("left");
    });

    test.each([
        ["is older than two days", 172_900, "library.db", "its last copy is of 20"],
        ["began before a change", 60, "library.db", "changed since its last copy, of 20.*: library.db"],
        ["is not of data from before a restore", -2, ".hearth-restore/old/a", "hack/restore --drop deletes"],
    ])("whose copy %s keep their node", (_, seconds, file, reason) => {
        write(`${volume}/${file}`, "films");
        const { stdout, stderr, status } = check("", api(`media jellyfin-config ${ago(seconds)}`));
        expect({ stdout, status }).toEqual({ stdout: "", status: 1 });
        expect(stderr).toMatch(new RegExp(`- media/jellyfin-config \\(.*${reason}`));
    });

    test("whose copy is of another volume keep their node", () => {
        write("var/lib/rancher/k3s/storage/pvc-0-0_media_jellyfin-config/library.db", "films");
        const { stdout, stderr } = check("", api(`media jellyfin-config ${ago(-2)}`));
        expect(stdout).toBe("");
        expect(stderr).toContain("- media/jellyfin-config (no copy of it was made on this node)");
    });

    test("that change while the node is drained keep it in the cluster, uncordoned", () => {
        write("etc/machine-id", "0123\n");
        write("etc/rancher/hearth-cluster", "c1\na1\n0123\n");
        write(`${volume}/library.db`, "films");
        const body = `
            open_cluster() { :; }; reach_api() { :; }
            with_cluster() {
                case "$1 $2" in
                    "get persistentvolumeclaims") echo "media jellyfin-config pvc-1-2" ;;
                    "get pods") echo "media jellyfin-config ${ago(-1)}" ;;
                    "get node") echo node/a1 ;;
                    "get nodes") printf 'node/a1\nnode/s1\n' ;;
                    *) result "$1 " ;;
                esac
                if [[ $1 == drain ]]; then sleep 2; touch ${folder}/${volume}/library.db; fi
            }
            delete`;
        const variables = { role: "agent", address: "10.0.0.1", servers: "10.0.0.2", kubeconfig: "x" };
        const { stdout, stderr, status } = run(["identity", "claims", "leave"], { ...k3s, ...variables }, body);
        expect({ stdout, status }).toEqual({ stdout: "cordon drain uncordon ", status: 1 });
        expect(stderr).toContain("a1 was drained, and stays in the cluster: it has the only copy of the data");
    });

    test("with data that was written after the node left keep its k3s", () => {
        write("etc/machine-id", "0123\n");
        write("etc/rancher/hearth-cluster", "c1\na1\n0123\n");
        write("var/lib/rancher/k3s/storage/pvc-1-2_media_jellyfin-config/library.db", "films");
        // Its first action; nothing after it may run on the host of this test.
        const uninstall = "systemctl() { result stopped; kill -KILL $$; }; uninstall";
        const { stdout, stderr, status } = run(["identity", "claims", "k3s"], k3s, uninstall);
        expect({ stdout, status }).toEqual({ stdout: "", status: 1 });
        expect(stderr).toContain("[a1]   - media/jellyfin-config (no copy");
    });
});

test("a node whose k3s does not stop keeps its data", () => {
    write("etc/machine-id", "0123\n");
    write("etc/rancher/hearth-cluster", "c1\na1\n0123\n");
    write("etc/systemd/system/k3s-agent.service", "");
    // Steps after the stop, none of which may run on the host of this test.
    const uninstall = "systemctl() { return 1; }; pkill() { result deleting; kill -KILL $$; }; uninstall";
    const { stdout, stderr, status } = run(["identity", "claims", "k3s"], k3s, uninstall);
    expect({ stdout, status }).toEqual({ stdout: "", status: 1 });
    expect(stderr).toContain("nothing was deleted on a1, because k3s-agent.service does not stop");
});

/** Input of preflight.sh. */
const preflight = {
    ...{ cluster: "c1", now: "0", address: "10.0.0.1", role: "server", version: "", ports: "6443", virtual: "" },
    ...{ networks: "10.42.0.0/16 10.43.0.0/16", unlock: "", disks: "", raid: "1" },
};

describe("a Raspberry Pi whose disks are opened in the initramfs", () => {
    const findings = (config: string, initramfs: "dracut" | "initramfs-tools", unlock = "yes") => {
        write("boot/firmware/config.txt", config);
        const stub = `dpkg-query() { [[ $* != *${initramfs}* ]] || echo "ii "; }`;
        const body = `${stub}; check_initramfs; result "$findings"`;
        return run(["identity", "preflight"], { ...preflight, unlock }, body).stdout;
    };

    test("has a firmware that loads it, made by initramfs-tools", () => {
        expect(findings("arm_64bit=1\nauto_initramfs=1\n", "initramfs-tools")).toBe("");
        expect(findings("arm_64bit=1\n", "initramfs-tools")).toMatch(/^fatal\tthe firmware loads no initramfs/);
        expect(findings("auto_initramfs=1\n", "dracut")).toMatch(/^fatal\tits initramfs is made by dracut/);
        expect(findings("arm_64bit=1\n", "dracut", "")).toBe("");
    });
});

describe("certificates of k3s", () => {
    /** Calls of systemctl by the weekly service, with a certificate that expires in some days, and an authority. */
    const calls = (days: number) => {
        const tls = join(folder, "var/lib/rancher/k3s/server/tls");
        mkdirSync(tls, { recursive: true });
        for (const [name, expires] of [
            ["admin", days],
            ["server-ca", 1],
        ]) {
            const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "/dev/null"];
            const certificate = ["-days", `${expires}`, "-subj", `/CN=${name}`, "-out", join(tls, `${name}.crt`)];
            spawnSync("openssl", ["req", "-x509", ...key, ...certificate]);
        }
        const body = `
            enable_timer() { :; }; renew_in_time
            systemctl() { echo "$*" >>${folder}/calls; }; export -f systemctl
            bash ${folder}/usr/local/lib/hearth/renew-certificates`;
        write("calls", "");
        expect(run(["identity", "claims", "k3s"], k3s, body)).toMatchObject({ status: 0 });
        return readFileSync(join(folder, "calls"), "utf8");
    };

    test("are renewed by a restart within their last 90 days, and authorities are not", () => {
        expect(calls(89)).toBe("restart k3s-agent.service\n");
        expect(calls(91)).toBe("");
    });
});

test("k3s uses the interface of the node's address, and the arguments of the config take precedence", () => {
    write("etc/resolv.conf", "nameserver fe80::1%eth0\nnameserver 192.168.1.1\n");
    const config = (own: string) => {
        const body = `ip() { echo "3: eno2    inet 10.0.0.1/24 scope global eno2"; }; result "$(own_config)"`;
        return run(["identity", "claims", "k3s"], { ...k3s, config: own }, body).stdout;
    };
    expect(config("node-ip: 10.0.0.1\n")).toBe(
        `node-ip: 10.0.0.1\nflannel-iface: eno2\nresolv-conf: ${folder}/etc/rancher/k3s/resolv.conf`,
    );
    const own = "flannel-iface: wg0\nresolv-conf: /etc/own.conf";
    expect(config(`${own}\n`)).toBe(own);
});

describe("a small host", () => {
    const findings = (mebibytes: number, role: string, free = 50) => {
        const body = `
            getconf() { case $1 in PAGESIZE) echo 4096 ;; _PHYS_PAGES) echo ${mebibytes * 256} ;; esac; }
            stat() { echo "100 ${free}"; }
            check_size; result "$findings"`;
        return run(["identity", "preflight"], { ...preflight, role }, body).stdout;
    };

    test("is rejected with less memory than k3s requires, and admitted with what one of that size has left", () => {
        expect(findings(985, "server")).toBe(
            "fatal\t985 MiB of memory, and k3s requires 2048 for its role, server\tadd memory, or use another host\n",
        );
        expect(findings(1_843, "server")).toBe("");
        expect(findings(985, "agent")).toBe("");
        expect(findings(234, "agent")).toMatch(/^fatal\t234 MiB of memory, and k3s requires 512 for its role, agent/);
    });

    test("is rejected with a disk on which k3s would start no pods", () => {
        expect(findings(4_096, "server", 5)).toBe("");
        expect(findings(4_096, "server", 4)).toMatch(/^fatal\tless than 5 % of the file system at \S+ is free/);
    });

    test("is warned of once it is a node", () => {
        write("etc/rancher/hearth-cluster", "c1\na1\n0123\n");
        expect(findings(985, "server", 4)).toMatch(/^warning\t985 MiB.*\nwarning\tless than 5 %/);
    });
});

describe("networks of an existing cluster", () => {
    const findings = (config: string, networks: string) => {
        write("etc/machine-id", "0123\n");
        write("etc/rancher/hearth-cluster", "c1\na1\n0123\n");
        write("etc/rancher/k3s/config.yaml", `node-name: a1\nnode-ip: 10.0.0.1\n${config}`);
        return run(["identity", "preflight"], { ...preflight, networks }, 'check_identity; result "$findings"').stdout;
    };

    test("are k3s' defaults where an older configuration does not name them", () => {
        expect(findings("", "10.42.0.0/16 10.43.0.0/16")).toBe("");
        expect(findings("", "10.52.0.0/16 10.43.0.0/16")).toMatch(
            /^fatal\tits cluster-cidr is 10.42.0.0\/16, and a cluster cannot change it to 10.52.0.0\/16\t/,
        );
    });

    test("are those of its configuration", () => {
        const config = "cluster-cidr: 10.52.0.0/16\nservice-cidr: 10.53.0.0/16\n";
        expect(findings(config, "10.52.0.0/16 10.53.0.0/16")).toBe("");
        expect(findings(config, "10.42.0.0/16 10.53.0.0/16")).toContain("its cluster-cidr is 10.52.0.0/16");
    });
});

describe("an upgrade to another k3s", () => {
    /** Calls of kubectl during an upgrade; `first` is the node in the API at its start, `ready` its condition. */
    const calls = (first: string, ready = "True") => {
        const body = `
            renew_in_time() { :; }; is_applied() { return 1; }; open_cluster() { :; }; is_ready() { :; }
            apply() { [[ ! -e ${folder}/cut ]] || exit 1; }
            with_cluster() {
                if [[ $* == *unschedulable* ]]; then cat ${folder}/cordoned; return; fi
                if [[ $* == "get nodes "* ]]; then printf 'node/a1\\nnode/s1\\n'; return; fi
                if [[ $* == *conditions* ]]; then echo "${ready} v1"; return; fi
                [[ $1 != cordon ]] || printf true >${folder}/cordoned
                echo "$1" >>${folder}/calls
            }
            converge`;
        write("cordoned", first);
        write("cut", "");
        run(["identity", "claims", "k3s"], { ...k3s, kubeconfig: "x" }, body);
        rmSync(join(folder, "cut"));
        run(["identity", "claims", "k3s"], { ...k3s, kubeconfig: "x" }, body);
        return readFileSync(join(folder, "calls"), "utf8").split("\n");
    };

    test("uncordons a node that it has cordoned, also in a second run", () => {
        expect(calls("")).toEqual(expect.arrayContaining(["cordon", "drain", "uncordon"]));
    });

    test("does not wait for the pods of a node that is not Ready: its kubelet ends none", () => {
        expect(calls("", "Unknown")).not.toContain("drain");
    });

    test("leaves a node cordoned that a user had cordoned, also in a second run", () => {
        expect(calls("true")).not.toContain("uncordon");
    });
});

test("a release that no longer runs is deleted", () => {
    const lib = "usr/local/lib/hearth/k3s";
    write(`${lib}/v0/k3s`, "");
    write(`${lib}/v1/k3s`, "");
    run(["identity", "claims", "k3s"], k3s, "forget_releases");
    expect(readdirSync(join(folder, lib))).toEqual(["v1"]);
});

describe("name servers of pods", () => {
    const made = (files: Readonly<Record<string, string>>) => {
        for (const [path, text] of Object.entries(files)) {
            write(path, text);
        }
        return run(["identity", "claims", "k3s"], k3s, 'result "$(resolv_conf)"').stdout;
    };

    test("are the host's own where k3s accepts them", () => {
        expect(made({ "etc/resolv.conf": "nameserver 192.168.1.1\nnameserver 2001:db8::1\n" })).toBe("");
        expect(
            made({
                "etc/resolv.conf": "nameserver 127.0.0.53\n",
                "run/systemd/resolve/resolv.conf": "nameserver 192.168.1.1\n",
            }),
        ).toBe("");
    });

    test("leave out those that only the host reaches", () => {
        expect(made({ "etc/resolv.conf": "nameserver fe80::1%eth0\nnameserver 192.168.1.1\n" })).toBe(
            "nameserver 192.168.1.1",
        );
    });
});

test("waits for a busy package manager, and not after an error", () => {
    const body = `
        tries=0
        apt() { tries=$((tries + 1)); echo "E: Could not get lock /var/lib/apt/lists/lock"; [[ -e ${folder}/free ]] || { touch ${folder}/free; return 100; }; }
        patiently apt && result waited`;
    const { stdout, stderr } = run([], {}, body);
    expect(stdout).toBe("waited");
    expect(stderr).toContain("waiting for another process that installs packages");

    const broken = run(
        [],
        {},
        "patiently eval 'echo E: Unable to locate package blocked-lock; false' || result refused",
    );
    expect(broken.stdout).toBe("refused");
    expect(broken.stderr).toContain("Unable to locate package");
});
