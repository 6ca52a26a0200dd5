import type { Verb } from "./verb";

type Loaded = { readonly verb: Verb };

/** Verbs by name. Each is loaded when it is called, so that none is slowed down by another one's packages. */
export const verbs = {
    backup: (): Loaded => require("./verbs/backup"),
    completion: (): Loaded => require("./verbs/completion"),
    doctor: (): Loaded => require("./verbs/doctor"),
    "forget-node": (): Loaded => require("./verbs/forget-node"),
    "host-keys": (): Loaded => require("./verbs/host-keys"),
    init: (): Loaded => require("./verbs/init"),
    install: (): Loaded => require("./verbs/install"),
    kit: (): Loaded => require("./verbs/kit"),
    names: (): Loaded => require("./verbs/names"),
    "new-app": (): Loaded => require("./verbs/new-app"),
    power: (): Loaded => require("./verbs/power"),
    "preview-comment": (): Loaded => require("./verbs/preview-comment"),
    reboot: (): Loaded => require("./verbs/reboot"),
    recover: (): Loaded => require("./verbs/recover"),
    rehearse: (): Loaded => require("./verbs/rehearse"),
    restore: (): Loaded => require("./verbs/restore"),
    secrets: (): Loaded => require("./verbs/secrets"),
    status: (): Loaded => require("./verbs/status"),
    template: (): Loaded => require("./verbs/template"),
    uninstall: (): Loaded => require("./verbs/uninstall"),
    unlock: (): Loaded => require("./verbs/unlock"),
    "what-if": (): Loaded => require("./verbs/what-if"),
};

/** Name of a verb. */
export type VerbName = keyof typeof verbs;

/** Reports whether a word is the name of a verb. */
export function isVerbName(name: string): name is VerbName {
    return Object.hasOwn(verbs, name);
}
