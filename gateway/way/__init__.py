"""The way of one message, a module for each step, in order.

========================  ==================  =======================================================================
module                    where               what
========================  ==================  =======================================================================
``s1_accept``             consumer gateway    who asks, for whom, what; the whole message taken in; its head made
``s2_send``               consumer gateway    provider found, request stamped, committed to the query log, sent
``s3_receive``            provider gateway    peer known, container taken in, e-stamp verified, request id claimed
``s4_call_service``       provider gateway    access right; the service called from the verified head
``s5_answer``             provider gateway    answer (or fault) stamped, committed, sent back
``s6_hand_over``          consumer gateway    answer verified, tied to its request, committed, handed over
========================  ==================  =======================================================================

``request_entry`` makes the entry of a request in the query log, for both gateways.
``gateway.information_systems`` drives steps 1, 2 and 6, ``gateway.peer_requests`` steps 3 to 5.
"""
