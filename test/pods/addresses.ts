/** Address of a test's network at which its nodes reach this machine. */
export const address = "10.77.0.1";

/** Ports there. */
export const ports = { git: 13_000, charts: 13_001, images: 13_002 } as const;

/** Path of a home's repository in its URL. */
export const repository = "hearth/hearth.git";
