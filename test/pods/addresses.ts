/** Address of a test's network at which its nodes reach this machine. */
export const address = "10.77.0.1";

/** Its ports: of the images, and of the system's charts. */
export const ports = { images: 13_002, charts: 13_003 } as const;
