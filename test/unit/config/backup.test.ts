import { backupTargets, targetPeer } from "../../../config/backup";
import { parseSettings, type Settings } from "../../../config/settings";
import { privateKey, publicKey } from "../keys";

const home = {
    domain: "home.example.com",
    kubeconfig: "kubeconfig.yaml",
    loadBalancer: { addresses: ["192.168.1.240-192.168.1.250"] },
    nfs: { server: "nas", path: "/export" },
};
const s3 = {
    target: "s3:https://s3.example.com/bucket/home",
    s3: { accessKey: "id", secretKey: "hidden" },
    password: "hidden",
};
const sftp = { privateKey, hostKey: publicKey };

function settings(backup?: unknown): Settings {
    const values = Object.entries({ ...home, ...(backup === undefined ? {} : { backup }) }).map(([key, value]) => [
        key,
        typeof value === "string" ? value : JSON.stringify(value),
    ]);
    return parseSettings({ stack: "home", values: Object.fromEntries(values), secretKeys: new Set() });
}

const peers = (target: string) => backupTargets({ ...settings(s3).backup, target } as never).map(targetPeer);

test("without hearth:backup there are no copies", () => {
    expect(settings().backup).toBeUndefined();
});

test("the repository knows a home by its domain, unless backup.home is set", () => {
    expect(settings(s3).backup).toMatchObject({ home: "home.example.com", start: 1, hours: 4, startEmpty: false });
    expect(settings({ ...s3, home: "cabin" }).backup?.home).toBe("cabin");
});

test("the target is an address of S3, SFTP or a rest-server, in restic's form, or a folder on a NAS", () => {
    expect(settings({ target: "nfs://nas.example.com/srv/backup", password: "p" }).backup?.target).toBeDefined();
    expect(settings({ target: "sftp://me@nas:23//copies/home", sftp, password: "p" }).backup?.target).toBeDefined();
    expect(settings({ target: "rest:https://copies.example.com/home/", password: "p" }).backup?.target).toBeDefined();
});

test("pods may reach the target's own port: at its address, or at any address for a host name", () => {
    expect(peers("rest:https://192.0.2.7:8000/home/")).toEqual([{ cidr: "192.0.2.7/32", ports: [8000] }]);
    expect(peers("s3:https://s3.example.com/bucket")).toEqual([{ anywhere: true, ports: [443] }]);
    expect(peers("sftp://me@nas//copies")).toEqual([{ anywhere: true, ports: [22] }]);
    expect(peers("rest:http://nas/home/")).toEqual([{ anywhere: true, ports: [80] }]);
    // Nodes mount it; pods reach the server in front of it.
    expect(peers("nfs://nas/copies")).toEqual([{ namespace: "backup", workload: "server-main", ports: [8000] }]);
});

describe("mistakes are reported in a sentence, without secrets", () => {
    test.each([
        [
            "a target of another kind",
            { ...s3, target: "b2:bucket" },
            "hearth:backup.target",
            '"s3:https://<host>/<bucket>',
        ],
        ["an account of a folder", { ...s3, target: "nfs://nas/copies" }, "hearth:backup.s3", "begins with"],
        [
            "no folder of an NFS server",
            { ...s3, target: "nfs://nas/" },
            "hearth:backup.target",
            '"nfs://<host>/<folder>"',
        ],
        [
            "a password in the target",
            { ...s3, target: "rest:https://me:pw@host/home/" },
            "hearth:backup.target",
            "without a password",
        ],
        [
            "no password",
            { ...s3, password: undefined },
            "hearth:backup.password",
            "the repository's password, as a secret",
        ],
        ["no account", { ...s3, s3: undefined }, "hearth:backup.s3", "accessKey and secretKey"],
        [
            "the account of another kind",
            { ...s3, rest: { user: "me" } },
            "hearth:backup.rest",
            'the target begins with "s3:"',
        ],
        [
            "one repository twice",
            { ...s3, second: { target: s3.target, s3: s3.s3 } },
            "hearth:backup.second.target",
            "another repository",
        ],
        [
            "a second target without account",
            { ...s3, second: { target: "sftp://me@nas//x" } },
            "hearth:backup.second.sftp",
            "privateKey and hostKey",
        ],
        [
            "a key that is none",
            { target: "sftp://me@nas//x", sftp: { ...sftp, privateKey: "x" }, password: "p" },
            "hearth:backup.sftp.privateKey",
            "private key",
        ],
        [
            "no copy that is kept",
            { ...s3, keep: { daily: 0, weekly: 0, monthly: 0 } },
            "hearth:backup.keep",
            "at least one copy",
        ],
        ["an hour that no day has", { ...s3, start: 24 }, "hearth:backup.start", "an hour, 0 to 23"],
        ["a key that is unknown", { ...s3, pasword: "x" }, "hearth:backup.pasword", "password"],
    ])("%s", (_, backup, path, expected) => {
        const failure = (() => {
            try {
                settings(backup);
                return "";
            } catch (error) {
                return error instanceof Error ? error.message : "";
            }
        })();

        expect(failure).toContain(path);
        expect(failure).toContain(expected);
        expect(failure).not.toContain("hidden");
    });
});
