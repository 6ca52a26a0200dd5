/** Address of a test's network at which its nodes reach this machine. */
export const address = "10.77.0.1";

/** Port of the images there. */
export const port = 13_002;
