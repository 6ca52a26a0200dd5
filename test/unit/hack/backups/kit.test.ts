import { execFileSync } from "node:child_process";
import { kitPage } from "../../../../hack/backups/kit";

const about = { domain: "home.example.com", date: "2026-11-30" };
const s3 = { accessKey: "AKIA1", secretKey: "it's $(secret)", region: "eu-central-1" };

/** Value of a variable in a shell that reads the page's lines. */
function variable(page: string, name: string): string {
    const lines = page.split("\n").filter((line) => line.startsWith("export "));
    return execFileSync("sh", ["-euc", `${lines.join("\n")}\nprintf %s "$${name}"`], { encoding: "utf8" });
}

test("the page names the home, leaves space for the passphrase, and quotes restic's variables, whatever their characters", () => {
    const page = kitPage({ target: "s3:https://s3.example.com/bucket/home", s3, password: "a\"b'c $d" }, about);

    expect(page).toContain("The copies of home.example.com, 2026-11-30");
    expect(page).toMatch(/passphrase of the stack.*\n.*____/);
    expect(variable(page, "RESTIC_REPOSITORY")).toBe("s3:https://s3.example.com/bucket/home");
    expect(variable(page, "RESTIC_PASSWORD")).toBe("a\"b'c $d");
    expect(variable(page, "AWS_SECRET_ACCESS_KEY")).toBe("it's $(secret)");
    expect(variable(page, "AWS_DEFAULT_REGION")).toBe("eu-central-1");
    expect(page).toContain(
        "restic restore latest:/files --host home.example.com --tag NAMESPACE/CLAIM --target FOLDER",
    );
});

test("the page has the second target with its own credentials, and the configured name of the home", () => {
    const page = kitPage(
        {
            target: "sftp://backup@nas.example.com//srv/home",
            sftp: { privateKey: "-----BEGIN KEY-----\nabc\n-----END KEY-----\n", hostKey: "ssh-ed25519 AAAA" },
            second: { target: "rest:https://rest.example.com/home/", rest: { user: "home", password: "p" } },
            password: "word",
            home: "old.example.com",
        },
        about,
    );

    expect(page).toContain("The copies of old.example.com");
    expect(page).toContain("-----BEGIN KEY-----\nabc\n-----END KEY-----");
    expect(page.indexOf("sftp://")).toBeLessThan(page.indexOf("rest:https://"));
    expect(variable(page.slice(page.indexOf("second target")), "RESTIC_REST_USERNAME")).toBe("home");
});

test("a folder on a NAS is mounted and used as the repository", () => {
    const page = kitPage({ target: "nfs://nas.example.com/srv/backup", password: "word" }, about);

    expect(page).toContain("sudo mount -t nfs 'nas.example.com:/srv/backup' /mnt\nexport RESTIC_REPOSITORY=/mnt\n");
});
