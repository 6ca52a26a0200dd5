import { z } from "zod";

const access = {
    target: z.string(),
    s3: z.looseObject({ accessKey: z.string(), secretKey: z.string(), region: z.string().optional() }).optional(),
    sftp: z.looseObject({ privateKey: z.string(), hostKey: z.string() }).optional(),
    rest: z
        .looseObject({
            user: z.string().optional(),
            password: z.string().optional(),
            certificate: z.string().optional(),
        })
        .optional(),
};

/** Part of hearth:backup that the printed page has, decrypted. */
export const kitSchema = z.looseObject({
    ...access,
    password: z.string(),
    home: z.string().optional(),
    second: z.looseObject(access).optional(),
});

/** One target and its access. */
type Target = z.output<typeof kitSchema>["second"] & object;

/** A value for a shell: in single quotes, so that nothing in it is expanded. */
const shell = (text: string) => `'${text.replaceAll("'", "'\\''")}'`;

/** The lines that make a target's repository readable in a shell. */
function environment({ target, s3, sftp, rest }: Target): string[] {
    const nfs = /^nfs:\/\/([^/]+)(\/.*)$/.exec(target);
    return [
        ...(nfs ? [`sudo mount -t nfs ${shell(`${nfs[1]}:${nfs[2]}`)} /mnt`] : []),
        `export RESTIC_REPOSITORY=${nfs ? "/mnt" : shell(target)}`,
        ...(s3
            ? [
                  `export AWS_ACCESS_KEY_ID=${shell(s3.accessKey)}`,
                  `export AWS_SECRET_ACCESS_KEY=${shell(s3.secretKey)}`,
                  ...(s3.region === undefined ? [] : [`export AWS_DEFAULT_REGION=${shell(s3.region)}`]),
              ]
            : []),
        ...(rest?.user === undefined ? [] : [`export RESTIC_REST_USERNAME=${shell(rest.user)}`]),
        ...(rest?.password === undefined ? [] : [`export RESTIC_REST_PASSWORD=${shell(rest.password)}`]),
        ...(rest?.certificate === undefined
            ? []
            : ["# with `--cacert FILE` at each command, where FILE holds:", ...rest.certificate.trim().split("\n")]),
        ...(sftp
            ? [
                  `# the server's key: ${sftp.hostKey}`,
                  "# with this key in ~/.ssh (mode 600), or any other that the server accepts:",
                  ...sftp.privateKey.trim().split("\n"),
              ]
            : []),
    ];
}

/**
 * The recovery page to print: every step that reads the copies without this program.
 *
 * @param kit hearth:backup, decrypted
 */
export function kitPage(kit: z.output<typeof kitSchema>, { domain, date }: { domain: string; date: string }): string {
    const { second, home = domain } = kit;
    const restic = (what: string) => `restic ${what} --host ${home}`;
    return `${[
        `The copies of ${home}, ${date}`,
        "Keep this page on paper, away from the home. It opens every copy, so keep it as secret as all of your data.",
        "",
        "1. The passphrase of the stack, which this program cannot print:",
        "   write it here  ______________________________________________",
        "   With it and the repository, `npx pulumi up` builds the home and restores its data: docs/restore.md.",
        "",
        "2. The copies alone, with restic (https://restic.net) on any machine:",
        "",
        ...environment(kit),
        `export RESTIC_PASSWORD=${shell(kit.password)}`,
        "",
        `${restic("snapshots")}   # whole copies; tags are namespace/claim`,
        `${restic("restore latest:/files")} --tag NAMESPACE/CLAIM --target FOLDER`,
        `${restic("restore latest:/databases")} --tag NAMESPACE/CLAIM --target FOLDER   # then, over it: whole SQLite files, dumps`,
        ...(second ? ["", "3. The second target has the same password:", "", ...environment(second)] : []),
    ].join("\n")}\n`;
}
