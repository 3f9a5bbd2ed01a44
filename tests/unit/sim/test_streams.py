from raysim_sim.streams import Streams


def test_one_more_draw_from_a_stream_shifts_no_other():
    plain, busy = Streams(7), Streams(7)
    busy.stream("latency").random()
    assert busy.stream("faults").random() == plain.stream("faults").random()


def test_streams_differ_by_label_and_by_seed():
    first = Streams(7).stream("a").random()
    assert first != Streams(7).stream("b").random()
    assert first != Streams(8).stream("a").random()
    assert first == Streams(7).stream("a").random()


def test_asking_again_goes_on_with_the_same_stream():
    streams = Streams(1)
    assert streams.stream("a").random() != streams.stream("a").random()
