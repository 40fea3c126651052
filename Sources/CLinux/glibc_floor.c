// The oldest glibc the release binary runs on is 2.34 (Amazon Linux 2023, RHEL 9). Linked on a newer one, hypotf in the
// Swift runtime binds to hypotf@GLIBC_2.35, which only differs in error reporting (no SVID matherr) from the first
// version. This definition satisfies that reference and calls the first version. Tests/check-binary holds the floor.
#if defined(__x86_64__)
__asm__(".symver hypotf_first, hypotf@GLIBC_2.2.5");
#elif defined(__aarch64__)
__asm__(".symver hypotf_first, hypotf@GLIBC_2.17");
#endif

#if defined(__x86_64__) || defined(__aarch64__)
float hypotf_first(float x, float y);
float hypotf(float x, float y) { return hypotf_first(x, y); }
#endif
