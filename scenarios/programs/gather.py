"""Tasks on all machines make 400 MB; the driver, on one of them, keeps it all and reads it piece by piece."""

import raysim as ray

PIECES = 100
SIZE = 4 << 20


@ray.remote
def make(number):
    return bytes([number]) * SIZE


def main():
    ray.init()
    kept = [ray.put(bytes([number]) * SIZE) for number in range(PIECES // 4)]
    kept += [make.remote(number) for number in range(PIECES)]
    total = 0
    for ref in kept:
        piece = ray.get(ref)
        assert len(piece) == SIZE
        total += len(piece)
        del piece
    print(f"{total} bytes read, {len(kept)} pieces")


if __name__ == "__main__":
    main()
