import { resolve } from "node:path";
import { Failure, runMain } from "../toolchain/failure";
import { endGracefully } from "../toolchain/run";
import { exitCodes, type Verb } from "./verb";

/** The verbs. Each is loaded when it is called: what one needs is no burden for the others. */
const verbs: Readonly<Record<string, () => Promise<{ verb: Verb }>>> = {
    completion: () => import("./verbs/completion.js"),
    doctor: () => import("./verbs/doctor.js"),
    "host-keys": () => import("./verbs/host-keys.js"),
    init: () => import("./verbs/init.js"),
    install: () => import("./verbs/install.js"),
    "new-app": () => import("./verbs/new-app.js"),
    "preview-comment": () => import("./verbs/preview-comment.js"),
    recover: () => import("./verbs/recover.js"),
    secrets: () => import("./verbs/secrets.js"),
    status: () => import("./verbs/status.js"),
    template: () => import("./verbs/template.js"),
    uninstall: () => import("./verbs/uninstall.js"),
    unlock: () => import("./verbs/unlock.js"),
};

const [name = "", ...args] = process.argv.slice(2);

runMain(`hack/${name}`, async () => {
    endGracefully();
    const load = verbs[name];
    if (load === undefined) {
        const names = Object.keys(verbs).map((verb) => `hack/${verb}`);
        throw new Failure(`say what to do: ${names.join(", ")}`, exitCodes.usage);
    }
    // What the verbs read is in the checkout, wherever they are called from.
    process.chdir(resolve(__dirname, ".."));
    return (await load()).verb(name, args);
});
