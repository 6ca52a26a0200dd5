import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Outcome } from "../../lib/run";
import { aptGetInstall } from "../../toolchain/apt-get";
import type { Stack } from "./stack";

/** Folder of NUT's programs in Debian: the commands in /usr/sbin refuse to start until /etc/nut/nut.conf enables them. */
const programs = "/lib/nut";

const port = 3493;

/** The command for `upsmon.conf` in docs/daily.md, for a stack of a test. */
function shutdownCommand({ folder }: Stack): string {
    const [, command = ""] = /^SHUTDOWNCMD "(.*)"$/m.exec(readFileSync("docs/daily.md", "utf8")) ?? [];
    const replacements = [
        // The test's stack is in its environment.
        ["su - me -c", "su --preserve-environment root -c"],
        ["PULUMI_CONFIG_PASSPHRASE_FILE=~/.hearth-passphrase ", ""],
        ["hearth/hack/", `${folder}/hack/`],
        ["--stack home", "--stack test"],
        ["systemctl poweroff", "echo this computer is shut down"],
    ] as const;
    return replacements.reduce((text, [from, to]) => {
        if (!text.includes(from)) {
            throw new Error(`docs/daily.md has no SHUTDOWNCMD with \`${from}\`: ${command}`);
        }
        return text.replace(from, to);
    }, command);
}

/**
 * Runs NUT with its dummy driver on the computer that has the checkout: the power fails, and the battery runs low.
 *
 * @returns output of `upsmon`, which ends with its SHUTDOWNCMD
 */
export async function batteryRunsLow(stack: Stack): Promise<Outcome> {
    await aptGetInstall("NUT", "Install it: `sudo apt-get install nut-server nut-client`.", [
        "nut-server",
        "nut-client",
    ]);
    const folder = mkdtempSync(join(tmpdir(), "hearth-ups-"));
    const write = (name: string, ...lines: string[]) => writeFileSync(join(folder, name), `${lines.join("\n")}\n`);
    write("ups.conf", "[ups]", "driver = dummy-ups", `port = ${folder}/ups.dev`);
    write("upsd.conf", `LISTEN 127.0.0.1 ${port}`);
    write("upsd.users", "[upsmon]", "password = of-the-monitor", "upsmon primary");
    write(
        "upsmon.conf",
        "MONITOR ups@localhost 1 upsmon of-the-monitor primary",
        `SHUTDOWNCMD "${shutdownCommand(stack)}"`,
        // NUT's defaults are a few seconds each.
        ...["POLLFREQ 1", "POLLFREQALERT 1", "HOSTSYNC 1", "FINALDELAY 0"],
    );
    write("ups.dev", "ups.status: OL");
    write(
        "run.sh",
        `export NUT_CONFPATH=${folder} NUT_STATEPATH=${folder} NUT_ALTPIDPATH=${folder}`,
        `${programs}/dummy-ups -a ups -u root -D > ${folder}/driver.log 2>&1 & driver=$!`,
        `${programs}/upsd -D -u root > ${folder}/upsd.log 2>&1 & server=$!`,
        // Without a second process as another user: it is root's in the test anyway.
        `${programs}/upsmon -D -p & monitor=$!`,
        'trap "kill $driver $server" EXIT',
        "until upsc ups@localhost ups.status 2>&1 | grep --quiet OL; do kill -0 $driver $server $monitor || exit 1; done",
        `echo "ups.status: OB LB" > ${folder}/ups.dev`,
        "wait $monitor",
    );
    try {
        return await stack.type(`sh ${folder}/run.sh`);
    } finally {
        rmSync(folder, { recursive: true });
    }
}
